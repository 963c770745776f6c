//! What the scripts say, line by line.
#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

use std::net::Ipv4Addr;

use ironherd_proto::script::{Script, boot_script, grub_config};
use ironherd_proto::token::Stamp;
use ironherd_proto::{BootStage, Link, token};
use ironherd_snapshot::Intent::{self, Commission, Deploy, Enlist, Local, PowerOff};
use ironherd_snapshot::{BootFile, BootKey, Ephemeral, Index, Mac, Machine, Settings, Snapshot};

const MAC: Mac = Mac([0x52, 0x54, 0, 0x77, 0, 0x10]);
const STAMP: Stamp = Stamp { nonce: [0xa5; 16], day: 20_000 };
const KEY: BootKey = BootKey([7; 32]);
const ENLIST_KEY: BootKey = BootKey([9; 32]);
const SELF: &str = "chain --replace --autofree http://10.77.0.1:5248/ipxe/52-54-00-77-00-10";

struct Case {
    intent: Option<Intent>,
    enlist: bool,
    ephemeral: bool,
    arm64: bool,
}

const CASE: Case = Case { intent: Some(Deploy), enlist: false, ephemeral: true, arm64: true };

fn index(case: &Case) -> Index {
    let machine = |intent| Machine {
        id: "machine-one".to_owned(),
        hostname: "node-one".to_owned(),
        macs: vec![MAC],
        uuid: None,
        intent,
        attempt: 3,
        boot_key: KEY,
        // A line break must not end the command.
        kernel_args: "quiet\nnomodeset  ".to_owned(),
        ..Machine::default()
    };
    let ephemeral = Ephemeral {
        kernel: "ephemeral/amd64/vmlinuz".to_owned(),
        initrd: "ephemeral/amd64/initrd.img".to_owned(),
        kernel_args: "console=ttyS0,115200".to_owned(),
    };
    let file =
        |name: &str| BootFile { name: name.to_owned(), sha256: "0".repeat(64), size_bytes: 1 };
    let files = ["ephemeral/arm64/vmlinuz", "ephemeral/arm64/initrd.img"].map(file);
    Index::new(Snapshot {
        generation: 1,
        settings: Settings {
            enlist: case.enlist,
            enlist_key: ENLIST_KEY,
            ephemeral: case.ephemeral.then_some(ephemeral),
            ..Settings::default()
        },
        machines: case.intent.map(|it| machine(it).into()).into_iter().collect(),
        files: if case.arm64 { files.to_vec() } else { Vec::new() },
        ..Snapshot::default()
    })
}

fn link() -> Link {
    let address = Ipv4Addr::new(10, 77, 0, 1);
    Link { index: 7, address, host6: None, http_port: 5248, gateway_port: 5249 }
}

fn ipxe(case: &Case) -> Script {
    boot_script(&index(case), &link(), MAC, STAMP)
}

fn grub(case: &Case) -> Script {
    grub_config(&index(case), &link(), MAC, STAMP)
}

#[test]
fn the_agents_script_is_this() {
    let token = token::mint(&KEY, "machine-one", 3, STAMP.nonce);
    let want = format!(
        "#!ipxe\n\
         # Deploy, attempt 3\n\
         kernel http://10.77.0.1:5248/boot/ephemeral/amd64/vmlinuz initrd=initrd.img \
         console=ttyS0,115200 quiet nomodeset ironherd.gateway=http://10.77.0.1:5249 \
         ironherd.boot=http://10.77.0.1:5248 ironherd.token={token} \
         BOOTIF=01-52-54-00-77-00-10 || goto failed\n\
         initrd --name initrd.img http://10.77.0.1:5248/boot/ephemeral/amd64/initrd.img \
         || goto failed\n\
         boot || goto failed\n\
         :failed\n\
         echo Ironherd: the system could not be started, asking again\n\
         sleep 10\n\
         {SELF} || reboot\n"
    );
    let script = ipxe(&CASE);
    assert_eq!(script.body, want);
    assert_eq!((script.stage, script.detail.as_str()), (BootStage::Script, "Deploy, attempt 3"));
}

#[test]
fn each_intent_has_its_script() {
    let (known, unknown) = (
        |intent| Case { intent: Some(intent), ..CASE },
        |enlist| Case { intent: None, enlist, ..CASE },
    );
    let no_agent = Case { ephemeral: false, ..CASE };
    let rows = [
        // Case, what its iPXE script must do, what its GRUB configuration must do.
        (known(Commission), "ironherd.token=machine-one.3.", "'ironherd.token=machine-one.3."),
        (unknown(true), "ironherd.token=enlist.20000.", "'ironherd.token=enlist.20000."),
        (known(Local), "\nsanboot --no-describe --drive 0x80 ", "chainloader ($root)$loader\n"),
        (known(Local), "\nchain http://10.77.0.1:5248/boot/local-x64.efi ", "BOOTAA64.EFI"),
        (known(PowerOff), "\npoweroff ||\n", "\nhalt\n"),
        (unknown(false), "\nexit 1\n", "\nexit\n"),
        (no_agent, "imported yet, waiting\nsleep 60\n", "imported yet\nsleep 60\nreboot\n"),
        (known(Enlist), "\nkernel http", "\nlinux (tftp,10.77.0.1)/ephemeral/arm64/vmlinuz "),
    ];
    for (case, in_ipxe, in_grub) in rows {
        let (ipxe, grub) = (ipxe(&case), grub(&case));
        assert!(ipxe.body.starts_with("#!ipxe\n"));
        assert!(ipxe.body.contains(in_ipxe), "{in_ipxe:?} is not in\n{}", ipxe.body);
        assert!(grub.body.contains(in_grub), "{in_grub:?} is not in\n{}", grub.body);
        assert_eq!(ipxe.detail, grub.detail);
        assert!(ipxe.body.ends_with('\n') && grub.body.ends_with('\n'));
    }
}

#[test]
fn the_agent_needs_a_system_of_its_architecture() {
    let without = grub(&Case { arm64: false, ..CASE });
    assert!(without.body.contains("no ephemeral system for arm64"), "{}", without.body);
    assert!(!without.body.contains("amd64"), "{}", without.body);
}

#[test]
fn every_script_carries_a_token_of_its_own() {
    let rows = [(Some(Deploy), KEY, "machine-one", 3), (None, ENLIST_KEY, "enlist", STAMP.day)];
    for (intent, key, id, attempt) in rows {
        let index = index(&Case { intent, enlist: true, ..CASE });
        let tokens = [[1; 16], [2; 16]].map(|nonce| {
            let body = boot_script(&index, &link(), MAC, Stamp { nonce, ..STAMP }).body;
            let token = body.split("ironherd.token=").nth(1).unwrap();
            let token = token.split(' ').next().unwrap().to_owned();
            let claims = token::verify(&key, &token).unwrap();
            assert_eq!((claims.id, claims.attempt, claims.nonce), (id, attempt, nonce));
            token
        });
        assert_ne!(tokens[0], tokens[1]);
    }
}
