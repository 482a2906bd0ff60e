//! The templates of the pages and the words in them.

use minijinja::{Environment, Error, UndefinedBehavior, Value};

use super::{Language, assets};

/// Values are escaped in templates whose name ends in `.html`.
const TEMPLATES: [(&str, &str); 11] = [
    ("base.html", include_str!("../../templates/base.html")),
    ("parts.html", include_str!("../../templates/parts.html")),
    ("sign_in.html", include_str!("../../templates/sign_in.html")),
    ("activate.html", include_str!("../../templates/activate.html")),
    ("assignments.html", include_str!("../../templates/assignments.html")),
    ("assignment.html", include_str!("../../templates/assignment.html")),
    ("work_list.html", include_str!("../../templates/work_list.html")),
    ("report.html", include_str!("../../templates/report.html")),
    ("messages.html", include_str!("../../templates/messages.html")),
    ("trace.html", include_str!("../../templates/trace.html")),
    ("error.html", include_str!("../../templates/error.html")),
];

/// All templates, parsed. An undefined variable in a template is an error, so that no page is shown incomplete.
pub(super) fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    for (name, source) in TEMPLATES {
        environment.add_template(name, source)?;
    }
    let languages: Vec<_> = Language::ALL.iter().map(Language::in_short).collect();
    environment.add_global("languages", Value::from(languages));
    // Browsers keep a file for as long as it has the same address.
    environment.add_global("build", assets::fingerprint());
    Ok(environment)
}
