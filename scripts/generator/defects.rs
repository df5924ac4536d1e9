//! The defects there are, and which entity carries which.

use super::world::Entity;

/// A defect; its name in the answer key is [`Defect::name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    /// No `createdAt`.
    MissingCreatedAt,
    /// No `status`.
    MissingStatus,
    /// A `status` in capitals.
    UpperStatus,
    /// A `status` no rule lists.
    UnknownStatus,
    /// No `type`, but the payload says it.
    MissingType,
    /// No `key`.
    MissingKey,
    /// No `idx`.
    MissingIdx,
    /// An `idx` that is a text.
    TextIdx,
    /// An `idx` past 2^53.
    HugeIdx,
    /// No `channel`.
    MissingChannel,
    /// No `iteration`.
    MissingIteration,
    /// `runId` in place of `workflowRunId`.
    RunId,
    /// A required link to a row that is not there.
    DanglingStep,
    /// No required link.
    NoStep,
    /// An optional link to a row that is not there.
    DanglingTrigger,
    /// A link to a context that is not there.
    AbsentContext,
    /// No link to the context, but its key.
    ContextByKey,
    /// A row that stands twice.
    IdenticalDuplicate,
    /// Two rows of one id.
    ConflictingDuplicate,
    /// An id that is no UUID.
    OddId,
    /// Half a character in a text.
    LoneSurrogate,
    /// An attribute nobody declared.
    UndeclaredAttr,
    /// Markup, NUL and control characters in a payload.
    HostileText,
    /// An execution without context.
    NoContext,
    /// A `createdAt` that is no date.
    BadDate,
    /// Two contexts of one key.
    DuplicateKey,
}

impl Defect {
    /// Its name in the answer key.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Defect::MissingCreatedAt => "missing_created_at",
            Defect::MissingStatus => "missing_status",
            Defect::UpperStatus => "upper_case_status",
            Defect::UnknownStatus => "unknown_status",
            Defect::MissingType => "missing_type",
            Defect::MissingKey => "missing_key",
            Defect::MissingIdx => "missing_idx",
            Defect::TextIdx => "idx_is_text",
            Defect::HugeIdx => "idx_past_2_53",
            Defect::MissingChannel => "missing_channel",
            Defect::MissingIteration => "missing_iteration",
            Defect::RunId => "run_id_instead_of_workflow_run_id",
            Defect::DanglingStep => "dangling_required_link",
            Defect::NoStep => "missing_required_link",
            Defect::DanglingTrigger => "dangling_optional_link",
            Defect::AbsentContext => "context_not_in_source",
            Defect::ContextByKey => "context_by_key_only",
            Defect::IdenticalDuplicate => "identical_duplicate",
            Defect::ConflictingDuplicate => "conflicting_duplicate",
            Defect::OddId => "id_is_no_uuid",
            Defect::LoneSurrogate => "lone_surrogate",
            Defect::UndeclaredAttr => "undeclared_attribute",
            Defect::HostileText => "hostile_text",
            Defect::NoContext => "execution_without_context",
            Defect::BadDate => "created_at_no_date",
            Defect::DuplicateKey => "duplicate_context_key",
        }
    }
}

const CONTEXTS: [Defect; 8] = [
    Defect::MissingCreatedAt,
    Defect::MissingStatus,
    Defect::OddId,
    Defect::UpperStatus,
    Defect::IdenticalDuplicate,
    Defect::UnknownStatus,
    Defect::HostileText,
    Defect::UndeclaredAttr,
];
const EVENTS: [Defect; 8] = [
    Defect::MissingChannel,
    Defect::AbsentContext,
    Defect::MissingCreatedAt,
    Defect::OddId,
    Defect::ContextByKey,
    Defect::IdenticalDuplicate,
    Defect::HostileText,
    Defect::UndeclaredAttr,
];
const EXECUTIONS: [Defect; 9] = [
    Defect::RunId,
    Defect::MissingStatus,
    Defect::DanglingTrigger,
    Defect::OddId,
    Defect::UpperStatus,
    Defect::MissingCreatedAt,
    Defect::IdenticalDuplicate,
    Defect::UnknownStatus,
    Defect::UndeclaredAttr,
];
const STEPS: [Defect; 8] = [
    Defect::MissingIteration,
    Defect::OddId,
    Defect::MissingStatus,
    Defect::MissingCreatedAt,
    Defect::UpperStatus,
    Defect::IdenticalDuplicate,
    Defect::UnknownStatus,
    Defect::UndeclaredAttr,
];
const PARTS: [Defect; 13] = [
    Defect::MissingKey,
    Defect::MissingIdx,
    Defect::DanglingStep,
    Defect::ConflictingDuplicate,
    Defect::MissingType,
    Defect::HugeIdx,
    Defect::IdenticalDuplicate,
    Defect::OddId,
    Defect::NoStep,
    Defect::TextIdx,
    Defect::LoneSurrogate,
    Defect::HostileText,
    Defect::UndeclaredAttr,
];

/// The defects that concern a row of an entity alone.
pub(crate) fn leaves(entity: Entity) -> &'static [Defect] {
    match entity {
        Entity::Context => &CONTEXTS,
        Entity::Event => &EVENTS,
        Entity::Execution => &EXECUTIONS,
        Entity::Step => &STEPS,
        Entity::Part => &PARTS,
        _ => &[],
    }
}
