use std::process::{Command, Stdio};

use super::*;

const MIB: u64 = 1 << 20;

/// An image made by sfdisk, on a disk of `disk_mib`. `None` where sfdisk is missing.
fn partitioned(script: &str, image_mib: u64, disk_mib: u64) -> Option<tempfile::NamedTempFile> {
    use std::io::Write as _;
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(image_mib * MIB).unwrap();
    let child = Command::new("sfdisk").arg("-q").arg(file.path()).stdin(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        eprintln!("skipped: sfdisk (package fdisk) is not installed");
        return None;
    };
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    file.as_file().set_len(disk_mib * MIB).unwrap();
    Some(file)
}

const DEBIAN: &str = "label: gpt\nstart=2048,size=1MiB,type=21686148-6449-6E6F-744E-656564454649\n\
    size=8MiB,type=uefi\ntype=linux\n";

#[test]
fn the_table_fits_a_larger_disk_and_the_root_grows() {
    let Some(disk) = partitioned(DEBIAN, 32, 100) else { return };
    let layout = fit(disk.path(), 100 * MIB, 512).unwrap();
    assert_eq!(layout.root, Some(3));
    assert_eq!(layout.esp.map(|it| it.number), Some(2));
    let root = layout.partitions[2];
    // 34 sectors at the end hold the backup, and the end is aligned down to a megabyte.
    assert_eq!((root.last_block + 1) * 512, 99 * MIB);

    // The second opinion: sfdisk finds nothing to complain about.
    let verify = Command::new("sfdisk").arg("--verify").arg(disk.path()).output().unwrap();
    let words = String::from_utf8_lossy(&verify.stdout).into_owned()
        + &String::from_utf8_lossy(&verify.stderr);
    assert!(verify.status.success() && words.contains("No errors"), "{words}");
    assert!(!words.contains("PMBR size mismatch") && !words.contains("backup"), "{words}");
}

#[test]
fn fitting_twice_changes_nothing() {
    let Some(disk) = partitioned(DEBIAN, 32, 64) else { return };
    let first = fit(disk.path(), 64 * MIB, 512).unwrap();
    let bytes = std::fs::read(disk.path()).unwrap();
    assert_eq!(fit(disk.path(), 64 * MIB, 512).unwrap(), first);
    assert!(std::fs::read(disk.path()).unwrap() == bytes);
}

#[test]
fn a_last_partition_of_another_kind_is_left_alone() {
    let script = "label: gpt\nsize=4MiB,type=linux\nsize=4MiB,type=swap\n";
    let Some(disk) = partitioned(script, 16, 64) else { return };
    let layout = fit(disk.path(), 64 * MIB, 512).unwrap();
    assert_eq!(layout.root, Some(1));
    assert_eq!(layout.partitions[1].last_block - layout.partitions[1].first_block + 1, 8192);
}

#[test]
fn damage_is_named() {
    let Some(disk) = partitioned(DEBIAN, 32, 32) else { return };
    let file = disk.as_file();
    file.write_all_at(&[0xFF], 2 * 512).unwrap();
    assert!(fit(disk.path(), 32 * MIB, 512).unwrap_err().contains("entries are damaged"));
    file.write_all_at(&[0xFF], 512 + 24).unwrap();
    assert!(fit(disk.path(), 32 * MIB, 512).unwrap_err().contains("header is damaged"));
    assert!(fit(disk.path(), 32 * MIB, 4096).unwrap_err().contains("sectors of 512"));
    file.write_all_at(&[0; 512], 512).unwrap();
    assert!(fit(disk.path(), 32 * MIB, 512).unwrap_err().contains("no GUID partition table"));
}

#[test]
fn a_disk_smaller_than_the_image_is_refused() {
    let Some(disk) = partitioned(DEBIAN, 32, 32) else { return };
    assert!(fit(disk.path(), 20 * MIB, 512).unwrap_err().contains("beyond the end"));
}

#[test]
fn checksum_is_zlibs() {
    assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
}
