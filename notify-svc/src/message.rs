use anyhow::Context as _;
use minijinja::{Environment, UndefinedBehavior, context};

/// What a nurse is told: fixed words and a link that needs a login, nothing a patient has typed.
#[derive(Debug)]
pub(crate) struct Messages {
    templates: Environment<'static>,
    report_url: String,
}

impl Messages {
    pub(crate) fn new(report_url: String) -> anyhow::Result<Self> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.add_template("sms", include_str!("../templates/sms.txt")).context("SMS template")?;
        templates.add_template("email", include_str!("../templates/email.txt")).context("mail template")?;
        Ok(Self { templates, report_url })
    }

    /// The text for a channel, with a word in front when an alert asks for somebody at once.
    pub(crate) fn render(&self, template: &str, report_id: &str, urgent: bool) -> Result<String, minijinja::Error> {
        let link = format!("{}{report_id}", self.report_url);
        self.templates.get_template(template)?.render(context! { link, urgent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_the_fixed_text_with_a_link() -> anyhow::Result<()> {
        let messages = Messages::new("https://epro.example.org/reports/".to_owned())?;
        assert_eq!(
            messages.render("sms", "42", false)?,
            "ePRO: a new report at your site needs review. https://epro.example.org/reports/42"
        );
        assert!(messages.render("email", "42", false)?.contains("https://epro.example.org/reports/42\n"));
        Ok(())
    }

    #[test]
    fn urgent_news_says_so_first_on_both_channels() -> anyhow::Result<()> {
        let messages = Messages::new("https://epro.example.org/reports/".to_owned())?;
        for channel in ["sms", "email"] {
            let text = messages.render(channel, "42", true)?;
            assert!(text.starts_with("URGENT ePRO: a new report at your site needs review."), "{text}");
        }
        Ok(())
    }
}
