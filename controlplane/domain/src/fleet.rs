use crate::text_enum::text_enum;

text_enum! {
    ImageKind, "image kind" {
        BootFile = "BOOT_FILE",
        EphemeralKernel = "EPHEMERAL_KERNEL",
        EphemeralInitrd = "EPHEMERAL_INITRD",
        DiskZstd = "DISK_ZSTD",
        DiskRaw = "DISK_RAW",
    }
}

impl ImageKind {
    /// Whether the image can be written to a machine's disk.
    #[must_use]
    pub fn is_disk(self) -> bool {
        matches!(self, Self::DiskZstd | Self::DiskRaw)
    }
}

text_enum! {
    ImageState, "image state" {
        Uploading = "UPLOADING",
        Ready = "READY",
    }
}

text_enum! {
    LeaseState, "lease state" {
        Active = "ACTIVE",
        Released = "RELEASED",
        Expired = "EXPIRED",
        Declined = "DECLINED",
    }
}
