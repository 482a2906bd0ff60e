//! Runs one action after the other, each by a random person.

use std::time::{Duration, Instant};

use fastrand::Rng;
use migrations::demo::{NURSES, Nurse, PATIENTS, Patient};
use tokio::time::sleep;

use crate::action::{Action, choose};
use crate::gateway::{Gateway, Result};
use crate::person::{Person, Visit};
use crate::{nurse, patient};

/// All people of the demo study who have a PIN.
#[derive(Debug)]
pub(crate) struct Trickle {
    gateway: Gateway,
    rng: Rng,
    patients: Vec<(Person, &'static Patient)>,
    nurses: Vec<(Person, &'static Nurse)>,
}

impl Trickle {
    pub(crate) fn new(gateway: Gateway) -> Self {
        let patients = PATIENTS.iter().map(|patient| (Person::new(patient.login, patient.pin), patient)).collect();
        let nurses = NURSES.iter().map(|nurse| (Person::new(nurse.login, nurse.pin), nurse)).collect();
        Self { gateway, rng: Rng::new(), patients, nurses }
    }

    /// Runs forever. The pause between two actions is `pace`, plus or minus a third.
    pub(crate) async fn run(&mut self, pace: Duration) {
        self.gateway.wait_until_ready().await;
        loop {
            if self.act().await.is_err() {
                self.gateway.wait_until_ready().await;
            }
            sleep(pace.mul_f64((2.0 + 2.0 * self.rng.f64()) / 3.0)).await;
        }
    }

    async fn act(&mut self) -> Result<()> {
        let Self { gateway, rng, patients, nurses } = self;
        let row = choose(rng);
        match row.action {
            Action::Patient(action) => {
                let Some((person, patient)) = somebody(patients, rng) else { return Ok(()) };
                patient::act(&mut Visit { gateway, person, action: row.name }, patient, action, rng).await
            }
            Action::Nurse(action) => {
                let Some((person, nurse)) = somebody(nurses, rng) else { return Ok(()) };
                nurse::act(&mut Visit { gateway, person, action: row.name }, nurse, action, rng).await
            }
        }
    }
}

/// A random person who does not have to wait.
fn somebody<'p, T>(people: &'p mut [(Person, T)], rng: &mut Rng) -> Option<&'p mut (Person, T)> {
    let now = Instant::now();
    rng.choice(people.iter_mut().filter(|(person, _)| person.is_up(now)).collect::<Vec<_>>())
}
