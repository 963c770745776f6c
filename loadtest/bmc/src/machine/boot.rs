//! The boot override a BMC holds for its machine, and what it makes of the boot order.

use serde::{Deserialize, Serialize};

use super::config::Firmware;

/// What the machine shall boot next, and for how long that holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootOverride {
    pub enabled: BootEnabled,
    pub target: BootTarget,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BootEnabled {
    #[default]
    Disabled,
    /// For one start; the start itself clears it.
    Once,
    Continuous,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BootTarget {
    #[default]
    None,
    Pxe,
    Hdd,
    UefiHttp,
}

/// The order in which a starting machine tries its devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootPlan {
    pub disk_first: bool,
    /// Only UEFI can tell PXE from HTTP: whether its PXE drivers shall be off.
    pub http_only: bool,
}

impl BootOverride {
    /// An override that names a target for ever or once.
    #[must_use]
    pub fn new(enabled: BootEnabled, target: BootTarget) -> Self {
        Self { enabled, target }
    }

    /// What the next start does. Without an override the network comes first, as on most servers
    /// that are provisioned over it.
    #[must_use]
    pub fn plan(&self, firmware: Firmware) -> BootPlan {
        let http_by_default = firmware == Firmware::UefiHttp;
        let target = match self.enabled {
            BootEnabled::Disabled => BootTarget::None,
            BootEnabled::Once | BootEnabled::Continuous => self.target,
        };
        match target {
            BootTarget::None => BootPlan { disk_first: false, http_only: http_by_default },
            BootTarget::Pxe => BootPlan { disk_first: false, http_only: false },
            BootTarget::Hdd => BootPlan { disk_first: true, http_only: http_by_default },
            BootTarget::UefiHttp => BootPlan { disk_first: false, http_only: true },
        }
    }
}

impl BootTarget {
    /// What a machine with this firmware can be told to boot.
    #[must_use]
    pub fn allowed(firmware: Firmware) -> &'static [Self] {
        match firmware {
            Firmware::Bios => &[Self::None, Self::Pxe, Self::Hdd],
            Firmware::Uefi | Firmware::UefiHttp | Firmware::Arm64 => {
                &[Self::None, Self::Pxe, Self::Hdd, Self::UefiHttp]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn override_decides_the_order() {
        use BootEnabled::{Continuous, Disabled, Once};
        use BootTarget::{Hdd, None, Pxe, UefiHttp};
        use Firmware::{Bios, Uefi, UefiHttp as Http};
        let rows = [
            // Firmware, enabled, target, disk first, HTTP only.
            (Bios, Disabled, None, false, false),
            (Bios, Disabled, Hdd, false, false), // Named but not enabled.
            (Bios, Once, Hdd, true, false),
            (Bios, Continuous, Hdd, true, false),
            (Bios, Once, Pxe, false, false),
            (Uefi, Once, UefiHttp, false, true),
            (Http, Disabled, None, false, true),
            (Http, Once, Pxe, false, false),
            (Http, Once, Hdd, true, true),
        ];
        for (firmware, enabled, target, disk_first, http_only) in rows {
            let plan = BootOverride::new(enabled, target).plan(firmware);
            assert_eq!(
                plan,
                BootPlan { disk_first, http_only },
                "{firmware:?} {enabled:?} {target:?}"
            );
        }
    }
}
