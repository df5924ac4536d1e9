//! The schema steps of a migration, before any push.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use rethread::app::ACTIONS;
use rethread::error::{Error, Kind, Result, grouped, printable};
use rethread::progress::Progress;
use rethread::reconcile::{
    self, Class, Given, Permissions, RulesFrom, SchemaPlan, Step, TargetSchema,
};
use rethread::resources::Resources;
use rethread::snapshot::Snapshot;
use rethread::storage;
use serde_json::json;

use crate::args::Rules;
use crate::contracts;
use crate::render::Ended;

/// The schema steps that the target wants, and what the data says about each.
#[derive(Debug, Args)]
#[command(after_help = "\
The steps lead from the app's schema, as the snapshot has it, to that schema with the contract's
target in it, and with the links that follow the rows. They are those of InstantDB's own
`planSchemaPush`, in its order. Nothing is pushed and nothing is asked: the rows that the target has
already are looked at in the snapshot.

A step is `safe` when it only adds, `warning` when it can fail or slows writes down, `critical` when
it can lose data or break a running app. Where the app uses a label that the target wants, there are
two pushes: the first one makes room.

Ends with 1 when a step would fail, or when something does not fit together.

Examples:
  rethread plan snapshots/backup
  rethread plan snapshots/backup --write-schema instant.schema.ts --write-schema schema.json
  rethread plan snapshots/backup --schema-plan plan-of-the-server.json --json")]
pub(crate) struct Plan {
    /// The snapshot's folder
    pub(crate) snapshot: PathBuf,
    /// A plan that a server made (`{"steps": [[type, params], …]}`), to match with the contract in
    /// place of the computed one
    #[arg(long = "schema-plan", value_name = "FILE")]
    pub(crate) given: Option<PathBuf>,
    /// Write the target schema to a new file: InstantDB's JSON when its name ends in .json, an
    /// `instant.schema.ts` when it ends in .ts, with the permission rules as `instant.perms.ts` beside
    /// it; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) write_schema: Vec<PathBuf>,
    /// The contract and what fills its blanks
    #[command(flatten)]
    pub(crate) rules: Rules,
}

/// Runs the command.
pub(crate) fn run(it: &Plan, _resources: &Resources, progress: &dyn Progress) -> Result<Ended> {
    let outs = it.write_schema.iter().map(|path| form(path).map(|form| (path, form)));
    let outs: Vec<(&PathBuf, Form)> = outs.collect::<Result<_>>()?;
    let contract = contracts::load(&it.rules)?;
    let given = it.given.as_deref().map(given).transpose()?;
    let snapshot = Snapshot::open(&it.snapshot, progress)?;
    let (plan, schema) = reconcile::reconcile(&contract, &snapshot, given.as_ref())?;
    let mut ended = Ended::told(text(&plan)).with("plan", json!(plan));
    let files: Vec<(PathBuf, &str, String)> = files(&outs, &plan, &schema)?;
    for (path, _, _) in &files {
        refuse_there(path)?;
    }
    for (path, what, text) in &files {
        storage::replace(path, text.as_bytes())?;
        ended = ended.with_place(what, path);
    }
    let written: Vec<String> =
        it.write_schema.iter().map(|path| path.display().to_string()).collect();
    Ok(ended.with("schema", written).failing(failure(&plan)))
}

fn given(path: &Path) -> Result<Given> {
    Given::parse(&storage::read_text(path)?, &path.display().to_string())
}

/// How a schema is written.
#[derive(Debug, Clone, Copy)]
enum Form {
    Json,
    TypeScript,
}

fn form(path: &Path) -> Result<Form> {
    match path.extension().and_then(|end| end.to_str()) {
        Some("json") => Ok(Form::Json),
        Some("ts") => Ok(Form::TypeScript),
        _ => Err(Error::usage("the name of the schema file does not say its form")
            .at(path.display())
            .help("name it `….json` for InstantDB's JSON, or `….ts` for an `instant.schema.ts`")),
    }
}

/// The files to write: each schema, and the permission rules beside the first that is code.
fn files(
    outs: &[(&PathBuf, Form)],
    plan: &SchemaPlan,
    schema: &TargetSchema,
) -> Result<Vec<(PathBuf, &'static str, String)>> {
    let mut files = Vec::new();
    for (path, form) in outs {
        let text = match form {
            Form::TypeScript => schema.typescript(),
            Form::Json => schema.json().map_err(|error| {
                Error::damaged("the app's schema cannot be read again").because(error)
            })?,
        };
        files.push(((*path).clone(), "schema", text));
    }
    let code = outs.iter().find(|(_, form)| matches!(form, Form::TypeScript));
    if let (Some((path, _)), Some(permissions)) = (code, &plan.permissions) {
        let text = permissions.typescript(&plan.app.rules);
        files.push((path.with_file_name("instant.perms.ts"), "permissions", text));
    }
    Ok(files)
}

fn refuse_there(path: &Path) -> Result<()> {
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    Err(Error::usage("the file to write exists already")
        .at(path.display())
        .help("name another one, or remove it"))
}

/// The plan as people read it.
fn text(plan: &SchemaPlan) -> String {
    let mut out = String::new();
    // Writing to a `String` cannot fail, here and below.
    let _ = writeln!(out, "{}", head(plan));
    let pushes = plan.steps.iter().map(|step| step.push).max().unwrap_or_default();
    for push in 1..=pushes {
        let steps: Vec<&Step> = plan.steps.iter().filter(|step| step.push == push).collect();
        if pushes > 1 {
            let _ = writeln!(out, "\npush {push} of {pushes}");
        }
        table(&steps, &mut out);
    }
    for finding in &plan.findings {
        let _ = writeln!(out, "\nfinding: {}", line(&finding.said));
        let _ = writeln!(out, "  help: {}", line(&finding.help));
    }
    if !plan.rules_left.is_empty() {
        let _ = writeln!(out, "\nrules of the app's schema that the target does not have");
    }
    for rule in &plan.rules_left {
        let _ = writeln!(out, "  {}: {}", line(&rule.of()), line(&rule.lost));
        let _ = writeln!(out, "    to keep it: {}", line(&rule.line));
    }
    if let Some(permissions) = &plan.permissions {
        rules(plan, permissions, &mut out);
    }
    out
}

/// Who may do what with the rows of the target.
fn rules(plan: &SchemaPlan, permissions: &Permissions, out: &mut String) {
    let _ = writeln!(out, "\npermission rules of the target");
    for remark in permissions.remarks(&plan.app.rules) {
        let _ = writeln!(out, "  {}", line(&remark));
    }
    for it in &permissions.entities {
        if it.from != RulesFrom::Default {
            let _ = writeln!(out, "  {}: {}", line(&it.entity), line(&it.origin()));
        }
        for action in ACTIONS.iter().filter(|_| it.from != RulesFrom::Default) {
            let code = permissions.rules.effective(&it.entity, action);
            let _ = writeln!(
                out,
                "    {action:<7} {}",
                line(&code.unwrap_or_else(|| "everybody".to_owned()))
            );
        }
        for why in &it.left {
            let _ = writeln!(out, "    not rewritten: {}", line(why));
        }
        for what in &it.opened {
            let _ = writeln!(out, "    not guarded: {}", line(what));
        }
        if !it.lines.is_empty() {
            let _ = writeln!(
                out,
                "    say it in the contract, under [after.rules]: {}",
                line(it.lines.trim_end())
            );
        }
    }
}

fn head(plan: &SchemaPlan) -> String {
    let count = plan.steps.len();
    let steps =
        if count == 1 { "1 step".to_owned() } else { format!("{} steps", grouped(count as u64)) };
    match (plan.given, plan.from_schema) {
        (true, true) => format!("the plan that was given: {steps}"),
        (true, false) => format!(
            "the plan that was given: {steps}; the snapshot has no schema of the app to hold it against"
        ),
        (false, true) if count == 0 => {
            "the app's schema is what the contract wants: nothing to push".to_owned()
        }
        (false, true) => format!("from the app's schema to what the contract wants: {steps}"),
        (false, false) => {
            format!("the source has no schema of the app, so the plan starts from none: {steps}")
        }
    }
}

fn table(steps: &[&Step], out: &mut String) {
    let rows: Vec<[String; 4]> = steps
        .iter()
        .map(|step| {
            [
                line(&step.kind),
                class(step.class).to_owned(),
                line(&step.what),
                line(&step.needed_by.join(", ")),
            ]
        })
        .collect();
    let heads = ["step", "class", "what", "needed by"].map(str::to_owned);
    let width = |at: usize| {
        rows.iter().chain([&heads]).map(|row| row[at].chars().count()).max().unwrap_or_default()
    };
    let widths = [width(0), width(1), width(2)];
    let mut put = |row: &[String; 4]| {
        let _ = writeln!(
            out,
            "{}",
            format!(
                "  {:a$}  {:b$}  {:c$}  {}",
                row[0],
                row[1],
                row[2],
                row[3],
                a = widths[0],
                b = widths[1],
                c = widths[2]
            )
            .trim_end()
        );
    };
    put(&heads);
    for row in &rows {
        put(row);
    }
    if steps.is_empty() {
        return;
    }
    let _ = writeln!(out);
    for step in steps {
        let _ = writeln!(out, "  {}", line(&step.description));
        if step.fails > 0 {
            let samples = line(&step.samples.join(", "));
            let _ = writeln!(out, "    it would fail: {} ({samples})", line(&step.data));
        } else if !step.data.is_empty() {
            let _ = writeln!(out, "    {}", line(&step.data));
        }
    }
}

fn class(class: Class) -> &'static str {
    match class {
        Class::Safe => "safe",
        Class::Warning => "warning",
        Class::Critical => "critical",
    }
}

/// A text out of the data, on one line and without anything that steers a terminal.
fn line(text: &str) -> String {
    printable(text).replace('\n', "\\n")
}

fn failure(plan: &SchemaPlan) -> Option<Error> {
    const MOST: usize = 10;
    if plan.is_clear() {
        return None;
    }
    let (failing, findings) = (plan.failing(), plan.findings.len());
    let count = |count: usize, one: &str, many: &str| {
        let words = if count == 1 { one } else { many };
        format!("{} {words}", grouped(count as u64))
    };
    let said = match (failing, findings) {
        (0, _) => count(findings, "thing does not fit together", "things do not fit together"),
        (_, 0) => count(failing, "step would fail", "steps would fail"),
        _ => format!(
            "{}, and {}",
            count(failing, "step would fail", "steps would fail"),
            count(findings, "thing does not fit together", "things do not fit together")
        ),
    };
    let mut error = Error::new(Kind::Findings, format!("the schema plan: {said}"))
        .help("bring the rows or the schema in line before any push; the plan says how");
    let steps = plan.steps.iter().filter(|step| step.fails > 0);
    let steps = steps.map(|step| format!("{} {}", step.kind, step.what));
    let places: Vec<String> =
        steps.chain(plan.findings.iter().map(|finding| finding.what.clone())).collect();
    for place in places.iter().take(MOST) {
        error = error.at(line(place));
    }
    if places.len() > MOST {
        error = error.at(format!("and {} more", places.len() - MOST));
    }
    Some(error)
}
