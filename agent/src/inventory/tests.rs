use std::os::unix::fs::symlink;

use super::*;

/// A small file tree like a server's `/sys` and `/proc`.
struct Fixture(tempfile::TempDir);

impl Fixture {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn root(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn link(&self, path: &str, target: &str) {
        let (path, target) = (self.root().join(path), self.root().join(target));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::create_dir_all(&target).unwrap();
        symlink(target, path).unwrap();
    }

    fn disk(&self, name: &str, sectors: u64) {
        self.file(&format!("sys/block/{name}/size"), &format!("{sectors}\n"));
        self.file(&format!("sys/block/{name}/queue/rotational"), "0\n");
    }
}

#[test]
fn takes_stock_of_a_server() {
    let tree = Fixture::new();
    tree.file("proc/cpuinfo", "processor\t: 0\nmodel name\t: Xeon 5\n\nprocessor\t: 1\n");
    for (cpu, package, core) in [(0, 0, 0), (1, 0, 0), (2, 1, 0), (3, 1, 0)] {
        let topology = format!("sys/devices/system/cpu/cpu{cpu}/topology");
        tree.file(&format!("{topology}/physical_package_id"), &format!("{package}\n"));
        tree.file(&format!("{topology}/core_id"), &format!("{core}\n"));
    }
    tree.file("proc/meminfo", "MemTotal:        2048 kB\nMemFree: 1 kB\n");
    tree.file("sys/class/dmi/id/sys_vendor", "LabCo\n");
    tree.file("sys/class/dmi/id/product_name", "LabNode\n");
    tree.file("sys/class/dmi/id/product_serial", "   \n");
    tree.file("sys/class/dmi/id/product_uuid", "77770000-0000-4000-8000-00000000000A\n");
    tree.file("sys/class/dmi/id/bios_version", "1.0\n");
    tree.file("sys/firmware/efi/fw_platform_size", "64\n");

    let card = "sys/devices/pci0000:00/0000:00:03.0";
    tree.file(&format!("{card}/vendor"), "0x1af4\n");
    tree.file(&format!("{card}/device"), "0x1000\n");
    tree.file(&format!("{card}/class"), "0x020000\n");
    tree.link(&format!("{card}/driver"), "sys/bus/pci/drivers/virtio-pci");
    tree.link("sys/bus/pci/devices/0000:00:03.0", card);
    tree.link("sys/class/net/eth0/device", &format!("{card}/virtio0"));
    tree.link(&format!("{card}/virtio0/driver"), "sys/bus/virtio/drivers/virtio_net");
    tree.file("sys/class/net/eth0/address", "52:54:00:77:00:10\n");
    tree.file("sys/class/net/eth0/carrier", "1\n");
    tree.file("sys/class/net/eth0/speed", "-1\n");
    tree.file("sys/class/net/lo/address", "00:00:00:00:00:00\n");

    let got = hardware(tree.root());
    assert_eq!((got.cpu_sockets, got.cpu_cores, got.cpu_threads), (2, 2, 4));
    assert_eq!((got.cpu_model.as_str(), got.memory_bytes), ("Xeon 5", 2 << 20));
    assert_eq!(got.system.vendor.as_deref(), Some("LabCo"));
    assert_eq!(got.system.serial, None, "blank is absent");
    assert_eq!(got.system.uuid.as_deref(), Some("77770000-0000-4000-8000-00000000000a"));
    assert_eq!(got.firmware.kind, FirmwareKind::Uefi);
    assert_eq!(got.nics.len(), 1, "no loopback");
    let nic = &got.nics[0];
    assert_eq!(nic.driver.as_deref(), Some("virtio_net"));
    assert_eq!(nic.pci_address.as_deref(), Some("0000:00:03.0"));
    assert_eq!((nic.link_up, nic.speed_mbps), (true, None));
    assert_eq!(got.pci[0].vendor_id, "1af4");
    assert_eq!(got.pci[0].driver.as_deref(), Some("virtio-pci"));
}

#[test]
fn disks_are_the_real_ones_in_natural_order() {
    let tree = Fixture::new();
    for name in ["loop0", "sr0", "ram1", "dm-0", "md127", "fd0", "zram0", "mmcblk0boot0"] {
        tree.disk(name, 100);
    }
    for name in ["sdb", "sda", "sdaa", "nvme10n1", "nvme2n1"] {
        tree.disk(name, 2048);
    }
    tree.disk("sdc", 0); // A card reader without a card.
    tree.file("sys/block/nvme2n1/device/model", "Fast SSD 9  \n");
    tree.file("sys/block/nvme2n1/device/serial", "S1\n");
    tree.file("sys/block/sda/removable", "1\n");
    tree.file("sys/block/sdb/device/vpd_pg80", "\0\u{1}\0\u{4}ABCD");
    tree.file("sys/block/sdb/device/wwid", "naa.5000c500\n");

    let got = block_devices(tree.root());
    let names: Vec<&str> = got.iter().map(|it| it.disk.name.as_str()).collect();
    assert_eq!(names, ["nvme2n1", "nvme10n1", "sda", "sdb", "sdaa"]);
    assert_eq!(got[0].disk.path, "/dev/disk/by-id/nvme-Fast_SSD_9_S1");
    assert_eq!(got[0].disk.size_bytes, 1 << 20);
    assert_eq!(got[1].disk.path, "/dev/nvme10n1");
    assert!(got[2].external && !got[3].external);
    assert_eq!(got[3].disk.serial.as_deref(), Some("ABCD"));
    assert_eq!(got[3].disk.path, "/dev/disk/by-id/wwn-0x5000c500");
}

#[test]
fn an_empty_tree_is_no_error() {
    let tree = Fixture::new();
    let got = hardware(tree.root());
    assert_eq!(got.firmware.kind, FirmwareKind::Bios);
    assert!(got.disks.is_empty() && got.nics.is_empty() && got.pci.is_empty());
}
