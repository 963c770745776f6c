//! What a BMC's answer means for the effect, in words that name the field to mend.

use std::time::Duration;

use ironherd_bmc::{BmcError, Target, TargetError};
use ironherd_domain::PowerState;

use crate::WorkersConfig;
use crate::target;

/// How a try ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Done(PowerState),
    /// Nothing was done, since it would come too late.
    Skipped,
    Retry {
        error: String,
        after: Duration,
    },
    Failed(String),
}

/// Puts an effect back, since this process ends.
pub(crate) fn put_back(error: &str) -> Verdict {
    Verdict::Retry { error: error.to_owned(), after: Duration::ZERO }
}

/// Judges a try that the BMC gave no answer to: out of time, or a fault of ours.
pub(crate) fn unanswered(error: String, tries: u32, config: &WorkersConfig) -> Verdict {
    if config.effect_tries <= tries {
        return Verdict::Failed(error);
    }
    Verdict::Retry { error, after: pause(tries, config) }
}

/// What passes before the try after number `tries`.
fn pause(tries: u32, config: &WorkersConfig) -> Duration {
    let doubled = 2u32.saturating_pow(tries.saturating_sub(1));
    config.retry_after_min.saturating_mul(doubled).min(config.retry_after_max)
}

/// Judges the answer to try number `tries`, counted from 1.
pub(crate) fn verdict(
    result: Result<ironherd_bmc::PowerState, BmcError>,
    target: &Target,
    tries: u32,
    config: &WorkersConfig,
) -> Verdict {
    let error = match result {
        Ok(state) => return Verdict::Done(target::power_state(state)),
        Err(error) => error,
    };
    let text = words(&error, target);
    if !error.is_transient() || config.effect_tries <= tries {
        return Verdict::Failed(text);
    }
    let after = match error {
        // Sooner than this nothing would be sent.
        BmcError::BackingOff { retry_in } => pause(tries, config).max(retry_in),
        _ => pause(tries, config),
    };
    Verdict::Retry { error: text, after }
}

/// What is wrong, and where to mend it.
pub(crate) fn words(error: &BmcError, target: &Target) -> String {
    let (address, user) = (&target.address, &target.credentials.username);
    let set = "set it with machineUpdate";
    match error {
        BmcError::WrongPassword => {
            format!("power.password: the BMC at {address} refused it for user {user:?}; {set}")
        }
        BmcError::UnknownUser => {
            format!("power.username: the BMC at {address} knows no user {user:?}; {set}")
        }
        BmcError::PrivilegeTooLow => format!(
            "power.username: user {user:?} may not control power at the BMC at {address}; \
             give it the role ADMINISTRATOR there, or name another user with machineUpdate"
        ),
        BmcError::CipherRefused => format!(
            "power.protocol: the BMC at {address} refuses cipher suites 17 and 3; allow one \
             of them there, or use REDFISH with machineUpdate"
        ),
        BmcError::CertificateRefused { detail } => format!(
            "power.address: the certificate of the BMC at {address} is not trusted ({detail}); \
             put #sha256=FINGERPRINT or #insecure behind the address with machineUpdate"
        ),
        BmcError::Unreachable { .. } | BmcError::BackingOff { .. } => format!(
            "power.address: the BMC at {address} does not answer ({error}); see that it is \
             cabled and has this address, or {set}"
        ),
        BmcError::NotReached { .. } => format!(
            "power: the BMC at {address} accepted the command, but the machine is {error}; \
             look at the machine itself"
        ),
        BmcError::Protocol { .. } | BmcError::Refused { .. } | BmcError::Busy => {
            format!("power: the BMC at {address}: {error}")
        }
    }
}

pub(crate) fn bad_address(address: &str, error: &TargetError) -> String {
    format!("power.address: {address:?} does not fit: {error}; set it with machineUpdate")
}

#[cfg(test)]
mod tests {
    use ironherd_bmc::Credentials;

    use super::*;

    #[test]
    fn verdicts_follow_the_error_and_the_tries() {
        let silent = BmcError::Unreachable { after: Duration::from_secs(4) };
        let spared = BmcError::BackingOff { retry_in: Duration::from_secs(40) };
        let off = ironherd_bmc::PowerState::Off;
        let dead = BmcError::NotReached {
            wanted: ironherd_bmc::PowerState::On,
            seen: off,
            after: Duration::from_secs(60),
        };
        let rows = [
            // Result, try, seconds until the next or why it failed.
            (Err(silent.clone()), 1, Ok(2)),
            (Err(silent.clone()), 2, Ok(4)),
            (Err(silent.clone()), 6, Ok(60)),
            (Err(silent), 8, Err("power.address")),
            (Err(spared), 1, Ok(40)),
            (Err(dead), 1, Ok(2)),
            (Err(BmcError::Busy), 1, Ok(2)),
            (Err(BmcError::WrongPassword), 1, Err("power.password")),
            (Err(BmcError::UnknownUser), 1, Err("power.username")),
            (Err(BmcError::PrivilegeTooLow), 1, Err("power.username")),
            (Err(BmcError::CipherRefused), 1, Err("power.protocol")),
        ];
        for (result, tries, want) in rows {
            let text = format!("{result:?}, try {tries}");
            match (check(result, tries), want) {
                (Verdict::Retry { after, .. }, Ok(want)) => {
                    assert_eq!(after.as_secs(), want, "{text}");
                }
                (Verdict::Failed(error), Err(want)) => {
                    assert!(error.starts_with(want), "{text}: {error}");
                    assert!(error.contains("10.0.0.7:623"), "{text}: {error}");
                    assert!(!error.contains("hunter2"), "{text}: {error}");
                }
                (got, want) => panic!("{text}: {got:?} instead of {want:?}"),
            }
        }
        assert_eq!(check(Ok(off), 1), Verdict::Done(PowerState::Off));
    }

    #[test]
    fn a_try_without_an_answer_counts() {
        let config = WorkersConfig::default();
        let unanswered = |tries| unanswered("late".to_owned(), tries, &config);
        let after = Duration::from_secs(2);
        assert_eq!(unanswered(1), Verdict::Retry { error: "late".to_owned(), after });
        assert_eq!(unanswered(config.effect_tries), Verdict::Failed("late".to_owned()));
    }

    fn check(result: Result<ironherd_bmc::PowerState, BmcError>, tries: u32) -> Verdict {
        let target = Target::ipmi("10.0.0.7", Credentials::new("admin", "hunter2")).unwrap();
        verdict(result, &target, tries, &WorkersConfig::default())
    }
}
