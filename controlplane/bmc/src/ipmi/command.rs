//! The commands that `ipmi-rs-core` lacks: chassis, privilege, and the end of a session.

use ipmi_rs_core::connection::{CompletionErrorCode, IpmiCommand, Message, NetFn, NotEnoughData};

use crate::{BmcError, BootDevice, Control, PowerState};

/// Get Chassis Status (IPMI §28.2), of which only the power bit is used.
#[derive(Clone, Copy, Debug)]
pub struct ChassisStatus;

impl From<ChassisStatus> for Message {
    fn from(_: ChassisStatus) -> Self {
        Message::new_request(NetFn::Chassis, 0x01, Vec::new())
    }
}

impl IpmiCommand for ChassisStatus {
    type Output = PowerState;
    type Error = NotEnoughData;

    fn parse_success_response(data: &[u8]) -> Result<PowerState, NotEnoughData> {
        let current = data.first().ok_or(NotEnoughData)?;
        Ok(if current & 1 == 0 { PowerState::Off } else { PowerState::On })
    }
}

/// Chassis Control (IPMI §28.3).
#[derive(Clone, Copy, Debug)]
pub struct ChassisControl(pub Control);

impl From<ChassisControl> for Message {
    fn from(ChassisControl(control): ChassisControl) -> Self {
        let code = match control {
            Control::Off => 0,
            Control::On => 1,
            Control::Cycle => 2,
            Control::Reset => 3,
            Control::SoftOff => 5,
        };
        Message::new_request(NetFn::Chassis, 0x02, vec![code])
    }
}

impl IpmiCommand for ChassisControl {
    type Output = ();
    type Error = NotEnoughData;

    fn parse_success_response(_: &[u8]) -> Result<(), NotEnoughData> {
        Ok(())
    }
}

/// One parameter of Set System Boot Options (IPMI §28.12).
#[derive(Clone, Copy, Debug)]
pub enum BootOption {
    /// Parameter 4: tells the BMC that we, as BIOS POST, handled earlier flags. Some BMCs keep
    /// the old flags otherwise.
    Acknowledge,
    /// Parameter 5: the flags for the next boot, and only for that.
    Flags { device: BootDevice, efi: bool },
}

impl From<BootOption> for Message {
    fn from(option: BootOption) -> Self {
        let data = match option {
            BootOption::Acknowledge => vec![0x04, 0x01, 0x01],
            BootOption::Flags { device, efi } => {
                // Valid, not persistent; the EFI bit keeps firmware from a legacy boot.
                let valid = if efi { 0xa0 } else { 0x80 };
                let device = match device {
                    BootDevice::Network => 0x04,
                    BootDevice::Disk => 0x08,
                };
                vec![0x05, valid, device, 0x00, 0x00, 0x00]
            }
        };
        Message::new_request(NetFn::Chassis, 0x08, data)
    }
}

impl IpmiCommand for BootOption {
    type Output = ();
    type Error = NotEnoughData;

    fn parse_success_response(_: &[u8]) -> Result<(), NotEnoughData> {
        Ok(())
    }
}

/// Set Session Privilege Level to ADMINISTRATOR (IPMI §22.18). A session starts as USER.
#[derive(Clone, Copy, Debug)]
pub struct RaisePrivilege;

impl From<RaisePrivilege> for Message {
    fn from(_: RaisePrivilege) -> Self {
        Message::new_request(NetFn::App, 0x3b, vec![0x04])
    }
}

impl IpmiCommand for RaisePrivilege {
    /// The level granted.
    type Output = u8;
    type Error = NotEnoughData;

    fn parse_success_response(data: &[u8]) -> Result<u8, NotEnoughData> {
        data.first().map(|it| it & 0x0f).ok_or(NotEnoughData)
    }
}

/// Close Session (IPMI §22.19): BMCs have as few as four.
#[derive(Clone, Copy, Debug)]
pub struct CloseSession {
    pub bmc_id: u32,
}

impl From<CloseSession> for Message {
    fn from(command: CloseSession) -> Self {
        Message::new_request(NetFn::App, 0x3c, command.bmc_id.to_le_bytes().to_vec())
    }
}

impl IpmiCommand for CloseSession {
    type Output = ();
    type Error = NotEnoughData;

    fn parse_success_response(_: &[u8]) -> Result<(), NotEnoughData> {
        Ok(())
    }
}

/// Names what a completion code other than 0 means for the caller.
#[must_use]
pub fn completion_error(message: &Message, completion: u8) -> BmcError {
    const RAISE_PRIVILEGE: (u8, u8) = (0x06, 0x3b);
    let command = (message.netfn_raw(), message.cmd());
    let code = CompletionErrorCode::try_from(completion);
    match code {
        Ok(CompletionErrorCode::InsufficientPrivilege) => BmcError::PrivilegeTooLow,
        // "Not available for this user" and "exceeds the limit of the user or channel".
        Ok(CompletionErrorCode::CommandSpecific(0x80 | 0x81)) if command == RAISE_PRIVILEGE => {
            BmcError::PrivilegeTooLow
        }
        _ => BmcError::refused(format!(
            "netfn {:#04x} command {:#04x} ends with {completion:#04x}",
            command.0, command.1
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_on_the_wire() {
        type Wire = (u8, u8, &'static [u8]);
        let flags = |device, efi| Message::from(BootOption::Flags { device, efi });
        let rows: [(Message, Wire); 9] = [
            (ChassisStatus.into(), (0x00, 0x01, &[])),
            (ChassisControl(Control::Off).into(), (0x00, 0x02, &[0])),
            (ChassisControl(Control::On).into(), (0x00, 0x02, &[1])),
            (ChassisControl(Control::SoftOff).into(), (0x00, 0x02, &[5])),
            (flags(BootDevice::Network, false), (0x00, 0x08, &[5, 0x80, 4, 0, 0, 0])),
            (flags(BootDevice::Disk, true), (0x00, 0x08, &[5, 0xa0, 8, 0, 0, 0])),
            (BootOption::Acknowledge.into(), (0x00, 0x08, &[4, 1, 1])),
            (RaisePrivilege.into(), (0x06, 0x3b, &[4])),
            (CloseSession { bmc_id: 0x0a0b_0c0d }.into(), (0x06, 0x3c, &[13, 12, 11, 10])),
        ];
        for (message, want) in rows {
            assert_eq!((message.netfn_raw(), message.cmd(), message.data()), want);
        }
    }

    #[test]
    fn completion_codes_are_named() {
        let raise = Message::from(RaisePrivilege);
        let control = Message::from(ChassisControl(Control::On));
        assert_eq!(completion_error(&raise, 0x80), BmcError::PrivilegeTooLow);
        assert_eq!(completion_error(&control, 0xd4), BmcError::PrivilegeTooLow);
        for code in [0x80, 0xc1, 0xd5, 0xff] {
            let error = completion_error(&control, code);
            assert!(matches!(error, BmcError::Refused { .. }), "{code:#04x}: {error:?}");
        }
    }
}
