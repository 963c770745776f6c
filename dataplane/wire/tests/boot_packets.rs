//! The TFTP and HTTP requests that real firmware sent in the laboratory.

#![expect(clippy::unwrap_used, reason = "a broken fixture may well panic")]

use ironherd_wire::http::{Conditions, Method, Verdict, parse_request};
use ironherd_wire::name::Name;
use ironherd_wire::tftp::{Asked, Mode, Packet, parse};

const TFTP: &str = include_str!("packets/tftp.txt");
const HTTP: &str = include_str!("packets/http.txt");

/// Name and payload of each captured TFTP packet.
fn tftp_packets() -> Vec<(&'static str, Vec<u8>)> {
    let lines = TFTP.lines().filter(|line| !line.starts_with(';'));
    let packet = |line: &'static str| {
        let (name, escaped) = line.split_once(' ').unwrap();
        let mut parts = escaped.split('\\');
        let mut payload = parts.next().unwrap().as_bytes().to_vec();
        for part in parts {
            let (byte, rest) = part.split_at(2);
            payload.push(u8::from_str_radix(byte, 16).unwrap());
            payload.extend_from_slice(rest.as_bytes());
        }
        (name, payload)
    };
    lines.map(packet).collect()
}

/// Name and bytes of each captured HTTP request head.
fn http_heads() -> Vec<(&'static str, Vec<u8>)> {
    let head = |paragraph: &'static str| {
        let (name, lines) = paragraph.split_once('\n').unwrap();
        (name, (lines.trim_end().replace('\n', "\r\n") + "\r\n\r\n").into_bytes())
    };
    HTTP.split("\n\n").skip(1).map(head).collect()
}

#[test]
fn every_captured_tftp_packet_is_understood() {
    assert!(70 < tftp_packets().len());
    for (name, payload) in tftp_packets() {
        match parse(&payload).unwrap() {
            Packet::ReadRequest(request) => {
                assert_eq!(request.mode, Mode::Octet, "{name}");
                let cleaned = Name::clean(request.name).unwrap();
                assert!(!cleaned.as_str().starts_with('/'), "{name}");
                let options = payload.iter().filter(|byte| **byte == 0).count() / 2 - 1;
                assert_eq!(count(&request.asked), options, "{name}: {:?}", request.asked);
            }
            Packet::Ack { .. } => assert_eq!(payload.len(), 4, "{name}"),
            Packet::Error { code, message } => {
                assert_eq!((code, message), (8, b"User aborted the transfer".as_slice()), "{name}");
            }
            other => panic!("{name}: a client sent {other:?}"),
        }
    }
}

fn count(asked: &Asked) -> usize {
    let Asked { block_bytes, timeout_seconds, transfer_bytes, window_blocks } = asked;
    let numbers = [block_bytes.is_some(), timeout_seconds.is_some(), transfer_bytes.is_some()];
    numbers.iter().filter(|is| **is).count() + usize::from(window_blocks.is_some())
}

#[test]
fn requests_say_what_the_clients_are_known_to_ask() {
    let rows = [
        // Capture, name as looked up, blksize, timeout, tsize, windowsize.
        ("ovmf-pxe-tftp-snponly-ipxe/10", "snponly.efi", Some(1468), None, true, Some(4)),
        ("ovmf-pxe-tftp-snponly-ipxe/13", "snponly.efi", Some(1468), None, false, Some(4)),
        ("ovmf-pxe-ipv6-dhcpv6-tftp/28", "snponly.efi", Some(1228), None, true, Some(4)),
        ("ovmf-secureboot-shim-grub-tftp/38", "grubx64.efi", Some(512), None, false, Some(4)),
        ("ovmf-secureboot-shim-grub-tftp/73", "vmlinuz", Some(1024), None, true, None),
        ("undionly-kpxe-chain/11", "undionly.kpxe", Some(1432), None, true, None),
        ("seabios-ipxe-tftp-pxelinux/30", "ldlinux.c32", Some(1408), None, true, None),
        ("tftp-clients-hpa-atftp-curl-busybox/1", "ldlinux.c32", None, None, false, None),
        ("tftp-clients-hpa-atftp-curl-busybox/39", "ldlinux.c32", None, None, false, Some(8)),
        ("tftp-clients-hpa-atftp-curl-busybox/58", "ldlinux.c32", Some(1428), Some(6), true, None),
    ];
    let packets = tftp_packets();
    for (capture, file, block_bytes, timeout_seconds, sized, window_blocks) in rows {
        let payload = &packets.iter().find(|(name, _)| *name == capture).unwrap().1;
        let Ok(Packet::ReadRequest(request)) = parse(payload) else { panic!("{capture}") };
        let transfer_bytes = sized.then_some(0);
        let asked = Asked { block_bytes, timeout_seconds, transfer_bytes, window_blocks };
        assert_eq!(Name::clean(request.name).unwrap().as_str(), file, "{capture}");
        assert_eq!(request.asked, asked, "{capture}");
    }
}

#[test]
fn every_captured_http_head_is_understood() {
    let rows = [
        // Capture, method, name, whether the connection stays.
        ("ovmf-e1000e-ipxe-rom/17", Method::Get, "boot.ipxe", true),
        ("ovmf-http-boot-snponly-ipxe/15", Method::Head, "snponly.efi", true),
        ("ovmf-http-boot-snponly-ipxe/19", Method::Get, "snponly.efi", true),
        ("curl/head", Method::Head, "boot/snponly.efi", true),
        ("curl/range", Method::Get, "x", true),
        ("curl/http1.0", Method::Get, "x", false),
        ("grub/seek", Method::Get, "boot/grub.cfg", true),
    ];
    let heads = http_heads();
    for (name, head) in &heads {
        let request = parse_request(head).unwrap().unwrap();
        assert_eq!(request.head_bytes, head.len(), "{name}");
        assert!(!request.has_body, "{name}");
        for len in 0..head.len() {
            assert_eq!(parse_request(&head[..len]), Ok(None), "{name}, cut at {len}");
        }
    }
    for (capture, method, name, keep_alive) in rows {
        let head = &heads.iter().find(|(it, _)| *it == capture).unwrap().1;
        let request = parse_request(head).unwrap().unwrap();
        assert_eq!((request.method, request.keep_alive), (method, keep_alive), "{capture}");
        assert_eq!(request.name().unwrap().as_str(), name, "{capture}");
        let go = request.conditions == Conditions::default();
        assert!(go || request.conditions.judge("abc") == Verdict::NotModified, "{capture}");
        let range = request.range.map(|it| std::str::from_utf8(it).unwrap());
        let want = match capture {
            "curl/range" => Some("bytes=100-199"),
            "grub/seek" => Some("bytes=1024-"),
            _ => None,
        };
        assert_eq!(range, want, "{capture}");
    }
}
