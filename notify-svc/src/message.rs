use anyhow::Context as _;
use minijinja::{Environment, UndefinedBehavior, context};
use proto::data::Notification;

/// The texts of messages: fixed words, a number and a link that needs a login. They contain nothing that a patient has
/// typed.
#[derive(Debug)]
pub(crate) struct Messages {
    templates: Environment<'static>,
    report_url: String,
    study_url: String,
}

impl Messages {
    /// With a template for each channel, by the channel's name.
    pub(crate) fn new(
        by_channel: impl Iterator<Item = (&'static str, &'static str)>,
        report_url: String,
        study_url: String,
    ) -> anyhow::Result<Self> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        for (channel, template) in by_channel {
            templates.add_template(channel, template).with_context(|| format!("the template of {channel}"))?;
        }
        Ok(Self { templates, report_url, study_url })
    }

    /// The text for a channel. It says first if a report is urgent. A nurse of another site cannot open the report, so
    /// her link leads to the study's list of unnotified reports.
    pub(crate) fn render(
        &self,
        template: &str,
        report_id: &str,
        notification: &Notification,
    ) -> Result<String, minijinja::Error> {
        let Notification { urgent, study_id, companions, .. } = notification;
        let link = match study_id {
            Some(study_id) => format!("{}{study_id}/unnotified-reports", self.study_url),
            None => format!("{}{report_id}", self.report_url),
        };
        let escalated = study_id.is_some();
        let count = 1 + companions.len();
        self.templates.get_template(template)?.render(context! { link, urgent, escalated, count })
    }
}

#[cfg(test)]
mod tests {
    use proto::data::Companion;

    use super::*;
    use crate::channel::{email, sms};

    fn messages() -> Messages {
        let url = |path| format!("https://epro.example.org/{path}/");
        let templates = [("sms", sms::TEMPLATE), ("email", email::TEMPLATE)];
        Messages::new(templates.into_iter(), url("reports"), url("studies")).unwrap()
    }

    #[test]
    fn a_message_is_the_fixed_text_with_a_link() -> anyhow::Result<()> {
        let notification = Notification::default();
        assert_eq!(
            messages().render("sms", "42", &notification)?,
            "ePRO: a new report at your site needs review. https://epro.example.org/reports/42"
        );
        let mail = messages().render("email", "42", &notification)?;
        assert!(mail.contains("\n\nhttps://epro.example.org/reports/42\n\n"), "{mail}");
        Ok(())
    }

    #[test]
    fn urgent_news_says_so_first_on_both_channels() -> anyhow::Result<()> {
        for channel in ["sms", "email"] {
            let text = messages().render(channel, "42", &Notification { urgent: true, ..Notification::default() })?;
            assert!(text.starts_with("URGENT ePRO: a new report at your site needs review."), "{text}");
        }
        Ok(())
    }

    #[test]
    fn what_is_told_together_says_how_many_reports_there_are() -> anyhow::Result<()> {
        let companions = vec![Companion::default(); 2];
        let mut notification = Notification { companions, ..Notification::default() };
        let told = messages().render("sms", "42", &notification)?;
        assert!(told.starts_with("ePRO: 3 more reports at your site need review. "), "{told}");
        notification.study_id = Some("7".to_owned());
        let told = messages().render("email", "42", &notification)?;
        assert!(told.starts_with("ePRO: nobody was told of 3 reports at another site of your study."), "{told}");
        Ok(())
    }

    #[test]
    fn who_cannot_open_the_report_is_sent_to_the_list_of_the_study() -> anyhow::Result<()> {
        let notification = Notification { study_id: Some("7".to_owned()), ..Notification::default() };
        assert_eq!(
            messages().render("sms", "42", &notification)?,
            "ePRO: nobody was told of a report at another site of your study. \
             https://epro.example.org/studies/7/unnotified-reports"
        );
        Ok(())
    }
}
