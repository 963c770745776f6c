use super::*;

const DISK_BYTES: u64 = 32 << 20;

/// Data, a long run of zeros, data; not a whole number of chunks or sectors.
fn sample() -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..300_000_u32).flat_map(|it| (it | 1).to_le_bytes()).collect();
    bytes.resize(bytes.len() + (9 << 20), 0);
    bytes.extend(b"the end");
    bytes
}

/// A disk full of old bytes.
fn old_disk() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), vec![0xAA; usize::try_from(DISK_BYTES).unwrap()]).unwrap();
    file
}

fn write_to(
    disk: &tempfile::NamedTempFile,
    served: &[u8],
    image: &Image,
    image_bytes: Option<u64>,
) -> Result<(), TaskError> {
    let target = Target {
        node: disk.path().to_owned(),
        disk_bytes: DISK_BYTES,
        sector_bytes: 512,
        image_bytes,
    };
    let progress = Progress::default();
    progress.step("Writing the image");
    write(served, image, &target, &progress)
}

fn image(format: ImageFormat, served: &[u8]) -> Image {
    Image { format, sha256: hex::encode(Sha256::digest(served)) }
}

#[test]
fn both_formats_arrive_whole_over_old_data() {
    let sample = sample();
    let packed = zstd::encode_all(sample.as_slice(), 3).unwrap();
    for (format, served) in [(ImageFormat::DiskRaw, &sample), (ImageFormat::DiskZstd, &packed)] {
        for known in [None, Some(sample.len() as u64)] {
            let disk = old_disk();
            write_to(&disk, served, &image(format, served), known).unwrap();
            let got = std::fs::read(disk.path()).unwrap();
            assert!(got[..sample.len()] == sample, "{format:?}, size known: {known:?}");
            assert_eq!(got.len() as u64, DISK_BYTES);
        }
    }
}

#[test]
fn frames_in_a_row_are_one_image() {
    let sample = sample();
    let (left, right) = sample.split_at(1_000_000);
    let mut packed = zstd::encode_all(left, 3).unwrap();
    packed.extend(zstd::encode_all(right, 3).unwrap());
    let disk = old_disk();
    write_to(&disk, &packed, &image(ImageFormat::DiskZstd, &packed), None).unwrap();
    assert!(std::fs::read(disk.path()).unwrap()[..sample.len()] == sample);
}

#[test]
fn a_wrong_digest_leaves_nothing_bootable() {
    let sample = sample();
    let mut image = image(ImageFormat::DiskRaw, &sample);
    image.sha256 = "00".repeat(32);
    let disk = old_disk();
    let error = write_to(&disk, &sample, &image, None).unwrap_err().to_string();
    assert!(error.contains("Writing the image") && error.contains("digest"), "{error}");
    let got = std::fs::read(disk.path()).unwrap();
    assert!(got[..1 << 20].iter().all(|&it| it == 0));
    assert!(got[got.len() - (1 << 20)..].iter().all(|&it| it == 0));
}

#[test]
fn a_broken_stream_leaves_nothing_bootable() {
    let sample = sample();
    let packed = zstd::encode_all(sample.as_slice(), 3).unwrap();
    let cut = &packed[..packed.len() / 2];
    let disk = old_disk();
    write_to(&disk, cut, &image(ImageFormat::DiskZstd, cut), None).unwrap_err();
    let got = std::fs::read(disk.path()).unwrap();
    assert!(got[..1 << 20].iter().all(|&it| it == 0));
}

#[test]
fn an_image_beyond_the_disk_is_refused() {
    let huge = vec![1; usize::try_from(DISK_BYTES).unwrap() + 1];
    let disk = old_disk();
    let error = write_to(&disk, &huge, &image(ImageFormat::DiskRaw, &huge), None).unwrap_err();
    assert!(error.to_string().contains("larger than the disk"), "{error}");
}

#[test]
fn zero_test() {
    for (bytes, want) in [(&[][..], true), (&[0; 9], true), (&[0, 0, 1], false), (&[1; 4], false)] {
        assert_eq!(is_zero(bytes), want, "{bytes:?}");
    }
}
