use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use ironherd_app::{Actor, App, CommandError, PageRequest, RackReport};
use ironherd_domain::TokenId;

use crate::harness::{CARD, admin, code, regions};

fn forbidden<T>(answer: Result<T, CommandError>) -> bool {
    matches!(answer, Err(CommandError::Forbidden))
}

#[tokio::test]
async fn each_kind_of_token_opens_its_own_doors_only() {
    for region in regions().await {
        region.furnish().await;
        let app = &region.app;
        let it = region.machine(CARD).await;
        app.machine_commission(&admin(), it.id, None).await.unwrap();
        let agent = region.agent(it.id, 1).await;
        let made = app.admin_create("ada").await.unwrap();
        let user = app.actor(made.text.expose()).await.unwrap();
        let rack = app.rack_token_ensure().await.unwrap();
        let rack = app.actor(rack.expose()).await.unwrap();
        assert!(matches!(user, Actor::User { .. }) && matches!(rack, Actor::Rack { .. }));
        for other in [&agent, &rack] {
            assert!(forbidden(app.machine(other, it.id).await));
            assert!(forbidden(app.machine_abort(other, it.id).await));
            assert!(forbidden(
                app.machines(other, &PageRequest::default(), &Default::default()).await
            ));
            assert!(forbidden(app.settings(other).await));
            assert!(forbidden(app.user_token_create(other, "eve").await));
            assert!(forbidden(app.subnets(other, &PageRequest::default()).await));
            assert!(forbidden(app.changes(other, None).await));
        }
        for other in [&agent, &user] {
            assert!(forbidden(app.rack_report(other, RackReport::default()).await));
        }
        for other in [&rack, &user] {
            assert!(forbidden(app.agent_task(other).await));
        }
        assert!(forbidden(app.image_file(&agent, "00").await));
        assert!(app.machine(&user, it.id).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn an_unknown_token_is_nobody() {
    for region in regions().await {
        let made = region.app.admin_create("ada").await.unwrap();
        assert!(made.text.expose().starts_with("ihu_") && made.text.expose().len() == 68);
        for wrong in ["", "ihu_", "ihu_0000", made.text.expose().trim_end_matches('0'), "x"] {
            if wrong != made.text.expose() {
                let answer = region.app.actor(wrong).await;
                assert!(matches!(answer, Err(CommandError::Unauthenticated)), "{wrong}");
            }
        }
        let user = region.app.actor(made.text.expose()).await.unwrap();
        let taken = region.app.user_token_create(&user, "ada").await;
        assert_eq!(code(taken), "NAME_TAKEN");
        assert_eq!(code(region.app.user_token_create(&user, " ").await), "NAME_INVALID");
        let listed = region.app.user_tokens(&user, &PageRequest::default()).await.unwrap();
        assert_eq!(listed.items.len(), 1);
        region.app.user_token_delete(&user, made.token.id).await.unwrap();
        let answer = region.app.actor(made.text.expose()).await;
        assert!(matches!(answer, Err(CommandError::Unauthenticated)), "deleted");
        let unknown = region.app.user_token_delete(&admin(), TokenId::new()).await;
        assert_eq!(code(unknown), "NOT_FOUND");
    }
}

#[tokio::test]
async fn the_setup_token_lets_one_in_once() {
    for region in regions().await {
        let app = &region.app;
        let old = app.setup_token_issue().await.unwrap().unwrap();
        let setup = app.setup_token_issue().await.unwrap().unwrap();
        let replaced = app.setup_redeem(old.expose(), "ada").await;
        assert!(matches!(replaced, Err(CommandError::Unauthenticated)), "a later one rules");
        let opens_nothing_else = app.actor(setup.expose()).await;
        assert!(matches!(opens_nothing_else, Err(CommandError::Unauthenticated)));
        let made = app.setup_redeem(setup.expose(), "ada").await.unwrap();
        assert!(app.actor(made.text.expose()).await.is_ok());
        let again = app.setup_redeem(setup.expose(), "eve").await;
        assert!(matches!(again, Err(CommandError::Unauthenticated)));
        assert!(app.setup_token_issue().await.unwrap().is_none(), "there is a user");
    }
}

#[tokio::test]
async fn the_setup_token_ends_with_the_first_user() {
    for region in regions().await {
        let app = &region.app;
        let setup = app.setup_token_issue().await.unwrap().unwrap();
        let made = app.admin_create("ada").await.unwrap();
        let late = app.setup_redeem(setup.expose(), "eve").await;
        assert!(matches!(late, Err(CommandError::Unauthenticated)), "there is a user");
        // Without users a fresh link is printed; the old one stays dead.
        app.user_token_delete(&admin(), made.token.id).await.unwrap();
        let late = app.setup_redeem(setup.expose(), "eve").await;
        assert!(matches!(late, Err(CommandError::Unauthenticated)), "it was deleted");
    }
}

#[tokio::test]
async fn the_rack_token_stays_in_its_file() {
    for region in regions().await {
        let first = region.app.rack_token_ensure().await.unwrap();
        let path = region.folder.path().join("rack.token");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), first.expose());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(region.app.rack_token_ensure().await.unwrap(), first);
        std::fs::write(&path, "ihr_unknown").unwrap();
        let renewed = region.app.rack_token_ensure().await.unwrap();
        assert_ne!(renewed, first);
        assert!(region.app.actor(renewed.expose()).await.is_ok());
    }
}

#[tokio::test]
async fn no_secret_lies_open_in_the_database_or_in_debug() {
    for region in regions().await {
        region.furnish().await;
        let it = region.machine(CARD).await;
        let made = region.app.admin_create("ada").await.unwrap();
        for shown in [format!("{it:?}"), format!("{made:?}"), format!("{:?}", region.app)] {
            assert!(!shown.contains("calvin") && !shown.contains(made.text.expose()), "{shown}");
        }
        if region.engine == "sqlite" {
            region.app.close().await;
            let mut stored = Vec::new();
            for file in std::fs::read_dir(region.database.folder().unwrap()).unwrap() {
                stored.extend(std::fs::read(file.unwrap().path()).unwrap());
            }
            let has = |text: &[u8]| stored.windows(text.len()).any(|it| it == text);
            assert!(has(CARD.as_bytes()), "the search itself works");
            assert!(!has(b"calvin-the-secret") && !has(made.text.expose().as_bytes()));
        }
    }
}

/// Goal: opening the data beside a live server neither harms its uploads nor lets others read.
#[tokio::test]
async fn the_data_folder_is_private_and_uploads_outlast_a_second_opening() {
    let folder = tempfile::tempdir().unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let set = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    for (before, after) in [(None, 0o700), (Some(0o755), 0o700), (Some(0o1777), 0o1777)] {
        let path = folder.path().join(format!("{before:?}"));
        if let Some(before) = before {
            std::fs::create_dir(&path).unwrap();
            set(&path, before);
        }
        let app = App::open(&path, None).await.unwrap();
        assert_eq!(mode(&path), after, "{before:?}");
        let part = path.join("images/.part-00");
        std::fs::write(&part, "half").unwrap();
        let beside = App::open(&path, None).await.unwrap();
        assert!(part.exists());
        beside.close().await;
        app.serving_begins().await.unwrap();
        assert!(!part.exists());
    }
}
