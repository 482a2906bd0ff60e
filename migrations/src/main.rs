//! The one-shot job that prepares the database: roles, schemas, migrations, and the demo's data if asked.

use clap::{Args, Parser, Subcommand};

#[derive(Parser)]
#[command(
    about = "Brings the ePRO database to its current shape; safe to run again.",
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
struct Arguments {
    #[command(flatten)]
    migrate: Option<Migrate>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Args)]
struct Migrate {
    /// URL of a role that may create roles and schemas.
    #[arg(long, env = "MIGRATE_ADMIN_URL", hide_env_values = true)]
    admin_url: String,
    /// Password for the login role of user-svc.
    #[arg(long, env = "MIGRATE_USER_SVC_PASSWORD", hide_env_values = true)]
    user_svc_password: String,
    /// Password for the login role of data-svc.
    #[arg(long, env = "MIGRATE_DATA_SVC_PASSWORD", hide_env_values = true)]
    data_svc_password: String,
    /// Also store the demo study with its patients, nurses and PINs. Never in production.
    #[arg(long, env = "MIGRATE_SEED_DEMO")]
    seed_demo: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Deletes a closed study after its retention period, with the patients who took part in no other study.
    Purge(Purge),
}

#[derive(Args)]
struct Purge {
    /// URL of a role that may act as the owners of both schemas.
    #[arg(long, env = "MIGRATE_ADMIN_URL", hide_env_values = true)]
    admin_url: String,
    /// The study's code.
    #[arg(long)]
    study: String,
    /// The reason, which is recorded for good, such as the letter in which the sponsor agrees.
    #[arg(long)]
    reason: String,
    /// Do a dry run: delete everything, print the counts, and roll back.
    #[arg(long)]
    rehearse: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match (arguments.command, arguments.migrate) {
        (Some(Command::Purge(arguments)), _) => purge(arguments).await,
        (None, Some(arguments)) => migrate(arguments).await,
        (None, None) => anyhow::bail!("neither the arguments of a migration nor a command"),
    }
}

async fn migrate(arguments: Migrate) -> anyhow::Result<()> {
    let passwords =
        migrations::Passwords { user_svc: arguments.user_svc_password, data_svc: arguments.data_svc_password };
    migrations::run(&arguments.admin_url, &passwords).await?;
    if arguments.seed_demo {
        migrations::demo::seed(&arguments.admin_url).await?;
    }
    Ok(())
}

async fn purge(arguments: Purge) -> anyhow::Result<()> {
    let Purge { admin_url, study, reason, rehearse } = arguments;
    let migrations::Purged { enrolments, reports, patients } =
        migrations::purge(&admin_url, &study, &reason, rehearse).await?;
    let end = if rehearse { "would be deleted" } else { "deleted" };
    println!("study {study}: {enrolments} enrolments, {reports} reports, {patients} patients {end}");
    Ok(())
}
