use ironherd_domain::{
    AgentNext, AgentTaskKind, CredentialId, MachineId, PowerProtocol, TokenId, UnixMicros,
};

use super::{NOW, both, machine};
use crate::{
    BmcCredential, Db, StoreError, Token, TokenKind, boot_nonce, credential, machine as machines,
    token,
};

fn a_token(kind: TokenKind, name: &str, digest: u8, machine: Option<MachineId>) -> Token {
    Token {
        id: TokenId::new(),
        kind,
        name: name.into(),
        sha256: vec![digest; 32],
        machine_id: machine,
        attempt: machine.map(|_| 3),
        task: machine.map(|_| AgentTaskKind::Deploy),
        finished: None,
        created: NOW,
        expires: machine.map(|_| NOW),
        used: None,
    }
}

#[tokio::test]
async fn a_one_time_token_is_used_once() {
    for (_database, db) in both().await {
        let it = a_token(TokenKind::Setup, "setup", 1, None);
        let mut tx = db.write().await.unwrap();
        token::insert(&mut tx, &it).await.unwrap();
        assert!(token::use_once(&mut tx, it.id, NOW).await.unwrap());
        assert!(!token::use_once(&mut tx, it.id, NOW).await.unwrap());
        assert!(boot_nonce::use_once(&mut tx, &[1; 16], NOW).await.unwrap());
        assert!(!boot_nonce::use_once(&mut tx, &[1; 16], NOW).await.unwrap());
        assert_eq!(boot_nonce::sweep(&mut tx, NOW).await.unwrap(), 0);
        let later = UnixMicros(NOW.0 + 1);
        assert_eq!(boot_nonce::sweep(&mut tx, later).await.unwrap(), 1);
        tx.commit().await.unwrap();
        check_race(&db).await;
    }
}

/// Of many who use a nonce at once, one wins.
async fn check_race(db: &Db) {
    let mut users = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let db = db.clone();
        users.spawn(async move {
            let mut tx = db.write().await.unwrap();
            let won = boot_nonce::use_once(&mut tx, &[2; 16], NOW).await.unwrap();
            tx.commit().await.unwrap();
            won
        });
    }
    let winners = users.join_all().await.into_iter().filter(|won| *won).count();
    assert_eq!(winners, 1);
}

#[tokio::test]
async fn tokens_are_found_by_digest_and_end_with_their_machine() {
    for (_database, db) in both().await {
        let owner = machine(1);
        let mut tx = db.write().await.unwrap();
        let generation = machines::insert(&mut tx, &owner).await.unwrap();
        let user = a_token(TokenKind::User, "ada", 1, None);
        let agent = a_token(TokenKind::Agent, "agent", 2, Some(owner.id));
        token::insert(&mut tx, &user).await.unwrap();
        token::insert(&mut tx, &agent).await.unwrap();
        assert_eq!(token::by_digest(&mut tx, &[1; 32]).await.unwrap().unwrap(), user);
        assert_eq!(token::by_digest(&mut tx, &[2; 32]).await.unwrap().unwrap(), agent);
        assert!(token::by_digest(&mut tx, &[3; 32]).await.unwrap().is_none());
        token::finish(&mut tx, agent.id, Some(owner.id), AgentNext::Reboot).await.unwrap();
        let got = token::by_id(&mut tx, agent.id).await.unwrap().unwrap();
        assert_eq!(got.finished, Some(AgentNext::Reboot));
        assert_eq!(token::count(&mut tx, TokenKind::User).await.unwrap(), 1);
        assert_eq!(token::sweep(&mut tx, UnixMicros(NOW.0 - 1)).await.unwrap(), 0);
        let mut owner = owner;
        owner.generation = generation;
        machines::delete(&mut tx, &owner).await.unwrap();
        assert!(token::by_id(&mut tx, agent.id).await.unwrap().is_none());
        let users = token::page(&mut tx, TokenKind::User, None, 9).await.unwrap();
        assert_eq!(users, [user]);
        let twin = token::insert(&mut tx, &a_token(TokenKind::User, "ada", 4, None)).await;
        assert!(matches!(twin, Err(StoreError::Taken(_))));
    }
}

#[tokio::test]
async fn a_protocol_has_one_default_credential() {
    for (_database, db) in both().await {
        let mut tx = db.write().await.unwrap();
        let row = |username: &str| BmcCredential {
            id: CredentialId::new(),
            protocol: PowerProtocol::Redfish,
            username: username.into(),
            password: vec![1, 2],
        };
        let first = credential::upsert(&mut tx, &row("root")).await.unwrap();
        let second = credential::upsert(&mut tx, &row("admin")).await.unwrap();
        assert_eq!((first.id, second.username.as_str()), (second.id, "admin"));
        let found = credential::by_protocol(&mut tx, PowerProtocol::Redfish).await.unwrap();
        assert_eq!(found, Some(second));
        let none = credential::by_protocol(&mut tx, PowerProtocol::Ipmi).await.unwrap();
        assert_eq!(none, None);
    }
}
