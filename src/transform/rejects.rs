//! The facts about every row of a legacy table, and the first rule that refuses it.

use std::path::PathBuf;

use polars::prelude::*;

use super::frame::{self, Run};
use super::links;
use super::names;
use super::plan::{self, SourcePlan, TargetPlan};
use super::{attrs, codes, ids, refs, split, udf};
use crate::contract::{LinkHow, LinkPick, LinkRule, Otherwise, Pick, Required};
use crate::error::Result;
use crate::schema::Link;
use crate::snapshot::Extra;

/// Writes the facts about a legacy table: ids, links, decided values, and the refusing rule.
pub(super) fn facts(run: &Run<'_>, source: &SourcePlan) -> Result<PathBuf> {
    let frame = base(run, source)?;
    let mut frame = links::resolve(run, source, frame)?;
    for link in source.links.iter().filter(|link| is_needed(source, link)) {
        frame = links::reach(run, frame, link, &attrs::over(run, source, &link.label))?;
    }
    for target in &source.targets {
        frame = attrs::decide(run, source, target, frame)?;
        frame = ids::decide(run, source, target, frame)?;
    }
    for target in &source.targets {
        frame = required_links(run, source, target, frame)?;
    }
    let frame = split::count(source, frame);
    let frame = refuse(run, source, frame)?;
    let frame = frame.select(kept(run, source));
    run.checkpoint(frame, &format!("facts.{}", source.entity))
}

/// The facts that later steps look at; what only led to them is left behind.
fn kept(run: &Run<'_>, source: &SourcePlan) -> Vec<Expr> {
    let mut found: Vec<String> =
        [names::ROW, names::SERVER, names::DIGEST, names::ID, names::REJECT, names::CAUSE]
            .map(str::to_owned)
            .to_vec();
    for link in &source.links {
        found.push(names::link(&link.label));
        if is_needed(source, link) {
            found.extend([links::at, links::ok, links::by_rule, links::end].map(|name| name(link)));
        }
    }
    found.extend(attrs::exported_places(run, source));
    found.extend(split::kept(source));
    for target in &source.targets {
        let entity = &target.entity;
        let pair = |name: &str| [names::value(entity, name), names::how(entity, name)];
        found.extend(pair("id"));
        found.extend(target.takes_other_ids(source).then(|| names::id_text(entity)));
        for decided in &target.decided {
            found.extend(pair(&decided.rule.attr));
            found.push(names::mapped(entity, &decided.rule.attr));
        }
        let required = |rule: &&LinkRule| rule.required != Required::No;
        for rule in target.transform.links.iter().filter(required) {
            found.extend(pair(&rule.label));
        }
    }
    found.sort();
    found.dedup();
    let mut columns: Vec<Expr> = found.iter().map(|name| col(name.as_str())).collect();
    for link in &source.links {
        columns.extend(links::others(link));
    }
    for target in &source.targets {
        columns.extend(target.decided.iter().filter_map(|decided| refs::kept(target, decided)));
    }
    columns
}

fn base(run: &Run<'_>, source: &SourcePlan) -> Result<LazyFrame> {
    let mapped: Vec<String> = source.mapped.iter().cloned().collect();
    let mut columns = vec![
        col(Extra::ROW).alias(names::ROW),
        col(Extra::SERVER).alias(names::SERVER),
        col(Extra::DIGEST).alias(names::DIGEST),
        udf::id(col("id")).alias(names::ID),
        udf::first_member(col(Extra::INVALID), mapped).alias("invalid"),
    ];
    let unfit = plan::unfit(&run.plan.contract, source).into_iter();
    columns.extend(unfit.map(|(name, ty)| udf::unfit(col(&name), ty).alias(unfit_name(&name))));
    columns.extend(links::columns(source));
    columns.extend(attrs::columns(run, source));
    columns.extend(ids::columns(source));
    columns.extend(split::columns(source));
    attrs::spare(run, source, run.table(&source.entity)?.select(columns))
}

/// The column that says whether the text of an attribute is such as not every store holds.
fn unfit_name(name: &str) -> String {
    format!("unfit.{name}")
}

/// Whether a link is followed before every table is decided: for a required link, a value, an id.
pub(super) fn is_needed(source: &SourcePlan, link: &Link) -> bool {
    let reads =
        |pick: &Pick| matches!(pick, Pick::Linked { link: label, .. } if *label == link.label);
    source.targets.iter().map(|target| &target.transform).any(|transform| {
        transform.id.from.contains(&link.label)
            || transform.attrs.iter().flat_map(|rule| &rule.from).any(reads)
            || transform.links.iter().any(|rule| is_required_over(rule, &link.label))
    })
}

fn is_required_over(rule: &LinkRule, label: &str) -> bool {
    let LinkHow::From { picks, .. } = &rule.how else { return false };
    rule.required != Required::No && picks.contains(&LinkPick::Link(label.to_owned()))
}

/// Adds the target links a row cannot do without, as target ids.
fn required_links(
    run: &Run<'_>,
    source: &SourcePlan,
    target: &TargetPlan,
    frame: LazyFrame,
) -> Result<LazyFrame> {
    let mut frame = frame;
    for rule in target.transform.links.iter().filter(|rule| rule.required != Required::No) {
        frame = match &rule.how {
            LinkHow::SameRow { target: other } => frame.with_columns([
                col(names::value(other, "id")).alias(names::value(&target.entity, &rule.label)),
                lit(0).alias(names::how(&target.entity, &rule.label)),
            ]),
            LinkHow::From { picks, .. } => {
                required_from(run, source, target, (rule, picks), frame)?
            }
            LinkHow::Via { link, take } => via(run, target, (rule, link, take), frame)?,
        };
    }
    Ok(frame)
}

fn required_from(
    run: &Run<'_>,
    source: &SourcePlan,
    target: &TargetPlan,
    (rule, picks): (&LinkRule, &[LinkPick]),
    frame: LazyFrame,
) -> Result<LazyFrame> {
    let mut frame = frame;
    let mut places = Vec::new();
    for (at, pick) in picks.iter().enumerate() {
        let before = &run.plan.before;
        let Some(link) = plan::named_by(before, (source, target), rule, (at, pick)) else {
            continue;
        };
        frame = named(run, source, (pick, &link), frame)?;
        places.push(links::Place::link(at, &link));
    }
    Ok(frame.with_columns(links::first_named(places, &target.entity, &rule.label)))
}

/// Adds what a place of a link rule names, by the columns of the link it stands for; the row's own
/// links have theirs already.
pub(super) fn named(
    run: &Run<'_>,
    source: &SourcePlan,
    (pick, link): (&LinkPick, &Link),
    frame: LazyFrame,
) -> Result<LazyFrame> {
    match pick {
        LinkPick::Over { by, take } => links::over_hop(run, (source, by, take), link, frame),
        LinkPick::Key { attr, entity, key } => {
            by_key(run, (source, attr), (entity, key), link, frame)
        }
        LinkPick::Link(_) | LinkPick::Reverse { .. } => Ok(frame),
    }
}

/// Looks a row up by the value of an attribute: the one migrated row that has it, or, where only rows
/// that were refused have it, one of those. A blank is no key.
fn by_key(
    run: &Run<'_>,
    (source, attr): (&SourcePlan, &str),
    (entity, key): (&str, &str),
    link: &Link,
    frame: LazyFrame,
) -> Result<LazyFrame> {
    let type_of = |of: &str, name: &str| {
        let ty = run.plan.before.entity(of).and_then(|found| found.attr(name)).map(|attr| attr.ty);
        ty.unwrap_or(crate::schema::Type::String)
    };
    let place = |of: &str, name: &str| attrs::exported_place(run, of, name);
    let target = run.plan.main_target(entity).map(|target| target.entity.clone());
    let id = names::value(&target.unwrap_or_default(), "id");
    let value = col(place(entity, key));
    let is_text = type_of(entity, key) == crate::schema::Type::String;
    let value = if is_text { udf::not_blank(value) } else { value };
    let there = col(id).filter(super::state::is_there());
    let count = || there.clone().n_unique();
    let refused = col(names::ID).is_not_null().any(true).and(count().eq(lit(0)));
    let right = run
        .all(entity)?
        .with_columns([value.alias("_value")])
        .filter(col("_value").is_not_null())
        .group_by([col("_value").alias("_key")])
        .agg([
            col(names::ID).min().alias(names::link(&link.label)),
            count().eq(lit(1)).or(refused).alias(links::at(link)),
            count().eq(lit(1)).alias(links::ok(link)),
            there.clone().min().alias(links::end(link)),
        ]);
    Ok(frame::look_up(frame, right, (col(place(&source.entity, attr)), col("_key"))))
}

/// Follows a link of the target row to the other row's own link. The other table is decided.
pub(super) fn via(
    run: &Run<'_>,
    target: &TargetPlan,
    (rule, link, take): (&LinkRule, &str, &str),
    frame: LazyFrame,
) -> Result<LazyFrame> {
    let value = names::value(&target.entity, &rule.label);
    let how = names::how(&target.entity, &rule.label);
    let to = run.plan.after.link(&target.entity, link).map(|link| link.to.clone());
    let to = to.unwrap_or_default();
    let mut ends = Vec::new();
    if let Some((source, _)) = run.plan.target(&to) {
        // An adopted row is among the existing ones.
        let is_new = col(names::how(&to, "id")).neq(lit(codes::ID_ADOPTED));
        let migrated = col(names::OUTCOME).eq(lit(super::Outcome::Migrated as i32)).and(is_new);
        ends.push(run.all(&source.entity)?.filter(migrated).select([
            col(names::value(&to, "id")).alias("_end"),
            col(names::value(&to, take)).alias(value.as_str()),
        ]));
    }
    if let Some(existing) = run.existing(&to)? {
        ends.push(existing.select([
            col(names::ID).alias("_end"),
            col(names::value(&to, take)).alias(value.as_str()),
        ]));
    }
    let right = concat(ends, UnionArgs::default()).map_err(frame::failed)?;
    let over = col(names::value(&target.entity, link));
    let frame = frame::look_up(frame, right, (over, col("_end")));
    Ok(frame.with_columns([lit(0).alias(how)]))
}

/// The refusals of a legacy table, in the order in which they are looked at.
struct Refusals<'a> {
    run: &'a Run<'a>,
    codes: Vec<Expr>,
    /// The code of a refusal, when it is because of another row, and the link to that row.
    causes: Vec<(i32, Expr, Link)>,
}

impl Refusals<'_> {
    fn add(&mut self, rule: &str, condition: Expr) -> Result<i32> {
        let code = self.run.plan.reject(rule)?;
        let refused = when(condition).then(lit(code)).otherwise(lit(NULL));
        self.codes.push(refused.cast(DataType::Int32));
        Ok(code)
    }

    /// A value that does not fit its type, or a link that several rows hold.
    fn misfits(&mut self, source: &SourcePlan) -> Result<()> {
        for (at, name) in source.mapped.iter().enumerate() {
            let misfit = col("invalid").eq(lit(codes::number(at))).fill_null(lit(false));
            let held = source.links.iter().find(|link| link.label == *name);
            let condition =
                held.map_or(misfit.clone(), |link| misfit.or(col(links::ambiguous(link))));
            self.add(&plan::fits_rule(&source.entity, name), condition)?;
        }
        Ok(())
    }

    /// A text that not every store holds.
    fn unfit(&mut self, source: &SourcePlan) -> Result<()> {
        for (name, _) in plan::unfit(&self.run.plan.contract, source) {
            let holds = col(unfit_name(&name)).fill_null(lit(false));
            self.add(&plan::unfit_rule(&source.entity, &name), holds)?;
        }
        Ok(())
    }

    /// A link that cannot be done without: refused itself, or it names no row.
    fn links(&mut self, source: &SourcePlan, target: &TargetPlan) -> Result<()> {
        for rule in target.transform.links.iter().filter(|rule| rule.required != Required::No) {
            let absent = || col(names::value(&target.entity, &rule.label)).is_null();
            let picks = plan::picks_of(rule);
            for (at, pick) in picks.iter().enumerate() {
                let before = &self.run.plan.before;
                let named = plan::named_by(before, (source, target), rule, (at, pick));
                let Some(link) = named else { continue };
                let led = absent().and(col(links::at(&link)));
                let code =
                    self.add(&plan::cascade_rule(&target.entity, &rule.label), led.clone())?;
                self.causes.push((code, led, link));
            }
            if rule.required == Required::Yes {
                self.add(&plan::required_rule(&target.entity, &rule.label), absent())?;
            }
        }
        Ok(())
    }

    /// A row that no case lists, or whose value is no object.
    fn cases(&mut self, target: &TargetPlan) -> Result<()> {
        let Some(explode) = &target.transform.explode else { return Ok(()) };
        let rules = [
            (super::explode::NO_OBJECT, plan::object_rule(&target.entity, explode)),
            (super::explode::UNLISTED, plan::case_rule(&target.entity, explode)),
            (super::explode::NOT_WHOLE, plan::whole_rule(&target.entity, explode)),
        ];
        for (case, rule) in rules {
            self.add(&rule, col(names::CASE).eq(lit(case)))?;
        }
        Ok(())
    }

    /// A value that the contract refuses, or that is required and absent. A row that stands on an
    /// existing one needs none.
    fn values(&mut self, target: &TargetPlan) -> Result<()> {
        let is_new = || col(names::how(&target.entity, "id")).neq(lit(codes::ID_ADOPTED));
        for decided in &target.decided {
            let name = &decided.rule.attr;
            let values = decided.rule.values.as_ref();
            if values.is_some_and(|values| values.otherwise == Otherwise::Quarantine) {
                let refused = col(names::mapped(&target.entity, name)).eq(lit(codes::REFUSED));
                let refused = refused.fill_null(lit(false)).and(is_new());
                self.add(&plan::values_rule(&target.entity, name), refused)?;
            }
            if decided.required {
                let absent = col(names::value(&target.entity, name)).is_null().and(is_new());
                self.add(&plan::required_rule(&target.entity, name), absent)?;
            }
        }
        Ok(())
    }
}

/// Adds the first rule that refuses each row, and the row whose refusal led there.
fn refuse(run: &Run<'_>, source: &SourcePlan, frame: LazyFrame) -> Result<LazyFrame> {
    let mut refusals = Refusals { run, codes: Vec::new(), causes: Vec::new() };
    refusals.misfits(source)?;
    refusals.unfit(source)?;
    // A row without an id is none, whatever else it lacks.
    for target in &source.targets {
        let id = col(names::value(&target.entity, "id"));
        let lacks = col(names::ID).is_null().and(id.is_null());
        refusals.add(&plan::id_rule(&source.entity), lacks)?;
    }
    for target in &source.targets {
        let id = col(names::value(&target.entity, "id"));
        refusals.add(&plan::id_rule(&source.entity), id.is_null())?;
    }
    for target in &source.targets {
        refusals.links(source, target)?;
    }
    for target in &source.targets {
        refusals.cases(target)?;
        refusals.values(target)?;
    }
    let mut reject = coalesce(&refusals.codes);
    if source.split().is_some() {
        // A row that becomes none is dropped, whatever else is the matter with it.
        reject = when(col(names::RESULTS).gt(lit(0))).then(reject).otherwise(lit(NULL));
    }
    let frame = frame.with_columns([reject.cast(DataType::Int32).alias(names::REJECT)]);
    let causes: Vec<Expr> = refusals
        .causes
        .into_iter()
        .map(|(code, led, link)| {
            let named = lit(format!("{}:", link.to)) + col(names::link(&link.label));
            when(col(names::REJECT).eq(lit(code)).and(led)).then(named).otherwise(lit(NULL))
        })
        .chain([lit(NULL).cast(DataType::String)])
        .collect();
    Ok(frame.with_columns([coalesce(&causes).alias(names::CAUSE)]))
}
