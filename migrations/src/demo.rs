//! The demo study: two sites, two nurses each, a few patients with a diary and two questionnaires.
//!
//! Ids are fixed so that a curl line can be copied; names, numbers and PINs are invented, phone
//! numbers come from the range reserved for fiction and addresses from `example.org`.

mod seed;

use uuid::{Uuid, uuid};

pub use seed::seed;

/// The study everything belongs to.
pub const STUDY: Uuid = uuid!("5d3a1c6e-0f0a-4c55-9d0e-7a1b2c3d4e00");

/// A hospital of the study.
#[derive(Debug)]
pub struct Site {
    pub id: Uuid,
    pub code: &'static str,
    pub name: &'static str,
    pub time_zone: &'static str,
}

/// A nurse, who logs in with a PIN and is told about new reports of her site.
#[derive(Debug)]
pub struct Nurse {
    pub id: Uuid,
    pub login: &'static str,
    pub pin: &'static str,
    pub site: Uuid,
    pub phone: &'static str,
    pub email: &'static str,
}

/// A patient with `event` assignments of every instrument and a `scheduled` one of the diary.
#[derive(Debug)]
pub struct Patient {
    pub id: Uuid,
    pub login: &'static str,
    pub pin: &'static str,
    pub site: Uuid,
    pub subject_code: &'static str,
    /// The diary, at any time.
    pub assignment: Uuid,
    /// PHQ-9, at any time.
    pub phq9: Uuid,
    /// GAD-7, at any time.
    pub gad7: Uuid,
    /// The diary, once a day.
    pub scheduled: Uuid,
}

/// A patient who has not chosen a PIN yet.
#[derive(Debug)]
pub struct Newcomer {
    pub id: Uuid,
    pub login: &'static str,
    /// Valid for one activation. A real code is random; this one is fixed so that a curl line can be copied.
    pub activation_code: &'static str,
    pub site: Uuid,
    pub subject_code: &'static str,
    /// The diary, at any time.
    pub assignment: Uuid,
}

/// Everybody's login and PIN, as `login:pin` with commas between.
pub fn logins() -> String {
    let patients = PATIENTS.iter().map(|patient| (patient.login, patient.pin));
    let nurses = NURSES.iter().map(|nurse| (nurse.login, nurse.pin));
    patients.chain(nurses).map(|(login, pin)| format!("{login}:{pin}")).collect::<Vec<_>>().join(",")
}

pub const NEWCOMER: Newcomer = Newcomer {
    id: uuid!("2c7e9a44-3b1d-4f6a-a0c5-9e8d7c6b5a05"),
    login: "patient-5",
    activation_code: "welcome-to-the-demo-study",
    site: SITES[0].id,
    subject_code: "BER-003",
    assignment: uuid!("a551a9e0-1d1a-4f00-8000-000000000005"),
};

/// Neither site has quiet hours, so that a demo at midnight sends its messages, too.
pub const SITES: [Site; 2] = [
    Site { id: uuid!("5d3a1c6e-0f0a-4c55-9d0e-7a1b2c3d4e01"), code: "BER", name: "Berlin", time_zone: "Europe/Berlin" },
    Site {
        id: uuid!("5d3a1c6e-0f0a-4c55-9d0e-7a1b2c3d4e02"),
        code: "BOS",
        name: "Boston",
        time_zone: "America/New_York",
    },
];

pub const NURSES: [Nurse; 4] = [
    Nurse {
        id: uuid!("8b1f6f0c-6f3e-4a57-8f6d-1c2d3e4f5a01"),
        login: "nurse-berlin-1",
        pin: "735201",
        site: SITES[0].id,
        phone: "+4915555500101",
        email: "nurse1.berlin@example.org",
    },
    Nurse {
        id: uuid!("8b1f6f0c-6f3e-4a57-8f6d-1c2d3e4f5a02"),
        login: "nurse-berlin-2",
        pin: "735202",
        site: SITES[0].id,
        phone: "+4915555500102",
        email: "nurse2.berlin@example.org",
    },
    Nurse {
        id: uuid!("8b1f6f0c-6f3e-4a57-8f6d-1c2d3e4f5a03"),
        login: "nurse-boston-1",
        pin: "735203",
        site: SITES[1].id,
        phone: "+16175550103",
        email: "nurse1.boston@example.org",
    },
    Nurse {
        id: uuid!("8b1f6f0c-6f3e-4a57-8f6d-1c2d3e4f5a04"),
        login: "nurse-boston-2",
        pin: "735204",
        site: SITES[1].id,
        phone: "+16175550104",
        email: "nurse2.boston@example.org",
    },
];

pub const PATIENTS: [Patient; 4] = [
    Patient {
        id: uuid!("2c7e9a44-3b1d-4f6a-a0c5-9e8d7c6b5a01"),
        login: "patient-1",
        pin: "246801",
        site: SITES[0].id,
        subject_code: "BER-001",
        assignment: uuid!("a551a9e0-1d1a-4f00-8000-000000000001"),
        phq9: uuid!("a551a9e0-1d1a-4f00-8000-000000000101"),
        gad7: uuid!("a551a9e0-1d1a-4f00-8000-000000000201"),
        scheduled: uuid!("a551a9e0-1d1a-4f00-8000-000000000301"),
    },
    Patient {
        id: uuid!("2c7e9a44-3b1d-4f6a-a0c5-9e8d7c6b5a02"),
        login: "patient-2",
        pin: "246802",
        site: SITES[0].id,
        subject_code: "BER-002",
        assignment: uuid!("a551a9e0-1d1a-4f00-8000-000000000002"),
        phq9: uuid!("a551a9e0-1d1a-4f00-8000-000000000102"),
        gad7: uuid!("a551a9e0-1d1a-4f00-8000-000000000202"),
        scheduled: uuid!("a551a9e0-1d1a-4f00-8000-000000000302"),
    },
    Patient {
        id: uuid!("2c7e9a44-3b1d-4f6a-a0c5-9e8d7c6b5a03"),
        login: "patient-3",
        pin: "246803",
        site: SITES[1].id,
        subject_code: "BOS-001",
        assignment: uuid!("a551a9e0-1d1a-4f00-8000-000000000003"),
        phq9: uuid!("a551a9e0-1d1a-4f00-8000-000000000103"),
        gad7: uuid!("a551a9e0-1d1a-4f00-8000-000000000203"),
        scheduled: uuid!("a551a9e0-1d1a-4f00-8000-000000000303"),
    },
    Patient {
        id: uuid!("2c7e9a44-3b1d-4f6a-a0c5-9e8d7c6b5a04"),
        login: "patient-4",
        pin: "246804",
        site: SITES[1].id,
        subject_code: "BOS-002",
        assignment: uuid!("a551a9e0-1d1a-4f00-8000-000000000004"),
        phq9: uuid!("a551a9e0-1d1a-4f00-8000-000000000104"),
        gad7: uuid!("a551a9e0-1d1a-4f00-8000-000000000204"),
        scheduled: uuid!("a551a9e0-1d1a-4f00-8000-000000000304"),
    },
];
