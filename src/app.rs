//! What an app has around its rows: permission rules, webhooks, emails; and what rules mean.
//!
//! A rule is an expression (CEL) that must be true. Which one counts for an action is said by the entity's
//! `allow.<action>`, then its `allow.$default`, then the same two of the entity `$default`. Where none of
//! them is there, everybody may: an app without rules is open (`S/model/rule.clj`).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::json;

/// What a rule can be about.
pub const ACTIONS: [&str; 4] = ["view", "create", "update", "delete"];

/// What is said once for whatever says nothing itself: an entity, or an action of one.
pub const DEFAULT: &str = "$default";

/// What a source says of its app beside schema and rows: `data/app.json` of a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AppSettings {
    /// The permission rules; absent where they are not known.
    #[serde(default, skip_serializing_if = "Rules::is_unknown")]
    pub rules: Rules,
    /// The webhooks, without the addresses that they call, which may hold secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub webhooks: Vec<Webhook>,
    /// The kinds of email that have a text of the app's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub email_templates: Vec<String>,
}

/// A webhook: what it listens to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// The entities whose changes it is called for.
    pub namespaces: Vec<String>,
    /// The actions that it is called for.
    pub actions: Vec<String>,
}

/// The permission rules of an app: `{<entity>: {allow, bind, fields}, "$default": …}`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Option<Map<String, Value>>", into = "Option<Map<String, Value>>")]
pub enum Rules {
    /// Whether the app has any is not known.
    #[default]
    Unknown,
    /// It has none.
    None,
    /// These.
    Known(Map<String, Value>),
}

impl From<Option<Map<String, Value>>> for Rules {
    fn from(rules: Option<Map<String, Value>>) -> Self {
        rules.filter(|rules| !rules.is_empty()).map_or(Rules::None, Rules::Known)
    }
}

impl From<Rules> for Option<Map<String, Value>> {
    fn from(rules: Rules) -> Self {
        match rules {
            Rules::Known(rules) => Some(rules),
            Rules::None | Rules::Unknown => None,
        }
    }
}

impl Rules {
    /// Reads rules that are known: JSON text of an object, or `null` for none.
    ///
    /// # Errors
    /// What they are instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut rules: Option<Map<String, Value>> = serde_json::from_str(text)
            .map_err(|error| format!("they are no JSON object of entities: {error}"))?;
        if let Some(rules) = &mut rules {
            rules.retain(|_, block| !block.is_null());
        }
        if let Some((entity, _)) = rules.iter().flatten().find(|(_, block)| !block.is_object()) {
            return Err(format!("those of `{entity}` are no JSON object"));
        }
        Ok(rules.into())
    }

    /// Rules by which nobody may do anything.
    pub fn closed() -> Self {
        let closed = serde_json::json!({ DEFAULT: { "allow": { DEFAULT: "false" } } });
        closed.as_object().cloned().into()
    }

    /// Whether nothing is known of them.
    pub fn is_unknown(&self) -> bool {
        *self == Rules::Unknown
    }

    /// Whether nobody may do anything, but for what entities say themselves.
    pub fn is_closed(&self) -> bool {
        self.effective(DEFAULT, DEFAULT).is_some_and(|code| code == "false")
    }

    /// What is said of an entity itself.
    pub fn of(&self, entity: &str) -> Option<&Map<String, Value>> {
        match self {
            Rules::Known(rules) => rules.get(entity)?.as_object(),
            Rules::None | Rules::Unknown => None,
        }
    }

    /// The expression that counts for an action; `None` where everybody may.
    pub fn effective(&self, entity: &str, action: &str) -> Option<String> {
        self.own(entity, action).or_else(|| self.own(DEFAULT, action)).map(code)
    }

    /// What an entity says of an action itself, by name or by default.
    pub fn own(&self, entity: &str, action: &str) -> Option<&Value> {
        let allow = self.of(entity)?.get("allow")?;
        [action, DEFAULT].into_iter().find_map(|it| allow.get(it).filter(|code| !code.is_null()))
    }

    /// The expression that a value of an attribute is shown by beside that of its row.
    pub fn field(&self, entity: &str, attr: &str) -> Option<String> {
        self.of(entity)?.get("fields")?.get(attr).filter(|code| !code.is_null()).map(code)
    }

    /// Whether an action needs more than to be asked for. An expression that is true for another reason than
    /// being written so is not found out.
    pub fn is_guarded(&self, entity: &str, action: &str) -> bool {
        self.effective(entity, action).is_some_and(|code| !self.is_open(entity, &code))
    }

    /// Whether an expression of an entity lets everybody: it is `true`, or a name that is bound to such a one.
    pub fn is_open(&self, entity: &str, code: &str) -> bool {
        let mut code = bare(code).to_owned();
        for _ in 0..8 {
            let names = [entity, DEFAULT].into_iter().flat_map(|it| binds(self.of(it)));
            let bound = names.filter(|(name, _)| *name == code).find_map(|(_, body)| body.as_str());
            let Some(body) = bound else { break };
            code = bare(body).to_owned();
        }
        code == "true"
    }

    /// The rules as JSON text on one line; `null` for none.
    pub fn text(&self) -> String {
        match self {
            Rules::Known(rules) => Value::Object(rules.clone()).to_string(),
            Rules::None | Rules::Unknown => "null".to_owned(),
        }
    }
}

/// An expression without blanks and parentheses around it.
fn bare(code: &str) -> &str {
    let mut code = code.trim();
    while let Some(inside) = code.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        code = inside.trim();
    }
    code
}

/// The names that a block of rules binds, in either form, with their expressions.
pub fn binds(block: Option<&Map<String, Value>>) -> Vec<(&str, &Value)> {
    match block.and_then(|block| block.get("bind")) {
        Some(Value::Object(all)) => all.iter().map(|(name, it)| (name.as_str(), it)).collect(),
        Some(Value::Array(all)) => {
            let pairs = all.chunks_exact(2).map(|two| (two[0].as_str(), &two[1]));
            pairs.filter_map(|(name, it)| Some((name?, it))).collect()
        }
        _ => Vec::new(),
    }
}

/// An expression as text: the server takes `true` and `false` for ones, too.
fn code(code: &Value) -> String {
    code.as_str().map_or_else(|| code.to_string(), str::to_owned)
}

/// Reads the webhooks of a `config.json`; whatever is none is left out.
pub fn webhooks(text: &str) -> Vec<Webhook> {
    let texts = |hook: &Value, key: &str| {
        let all = hook[key].as_array().into_iter().flatten();
        all.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let hooks: Vec<Value> = serde_json::from_str(text).unwrap_or_default();
    let hooks = hooks.iter().filter(|hook| hook.is_object());
    hooks
        .map(|hook| Webhook {
            namespaces: texts(hook, "namespaces"),
            actions: texts(hook, "actions"),
        })
        .collect()
}

/// The kinds of the email templates of a `config.json`.
pub fn email_templates(text: &str) -> Vec<String> {
    let all = json::elements(text).unwrap_or_default();
    let kinds = all.iter().filter_map(|raw| {
        let members = json::members(raw).ok()?;
        let (_, kind) = members.into_iter().find(|(name, _)| name == "type")?;
        json::string(kind).map(std::borrow::Cow::into_owned)
    });
    kinds.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_that_counts_is_the_entitys_then_the_defaults_else_everybody_may() {
        let rules = Rules::parse(
            r#"{"$default":{"allow":{"view":"auth.id != null","delete":null}},
                "a":{"allow":{"view":"x","$default":false}},"b":{"allow":{"create":"true"}},"c":{}}"#,
        )
        .unwrap();
        let counts = |entity| ACTIONS.map(|action| rules.effective(entity, action));
        let some = |code: &str| Some(code.to_owned());
        assert_eq!(counts("a"), [some("x"), some("false"), some("false"), some("false")]);
        assert_eq!(counts("b"), [some("auth.id != null"), some("true"), None, None]);
        assert_eq!(counts("c"), [some("auth.id != null"), None, None, None]);
        assert!(!rules.is_guarded("b", "create") && rules.is_guarded("b", "view"));
        assert!(Rules::closed().is_guarded("whatever", "delete"));
        assert!(!rules.is_closed() && Rules::closed().is_closed());
        let bound = r#"{"$default":{"bind":["pub","(true)"]},"a":{"allow":{"$default":" ( ok ) "},"bind":{"ok":"pub"}}}"#;
        assert!(!Rules::parse(bound).unwrap().is_guarded("a", "view"));
    }

    #[test]
    fn null_and_nothing_are_no_rules_and_a_list_is_refused() {
        for text in ["null", "{}"] {
            assert_eq!(Rules::parse(text).unwrap(), Rules::None);
        }
        assert!(Rules::parse("[]").is_err());
        assert!(Rules::parse(r#"{"a":"true"}"#).is_err());
    }

    #[test]
    fn addresses_of_webhooks_are_not_kept() {
        let text = r#"[{"namespaces":["a"],"actions":["create"],"status":"active",
                        "sink":{"url":"https://example.com/?token=x"}},7]"#;
        let told = serde_json::to_string(&webhooks(text)).unwrap();
        assert_eq!(told, r#"[{"namespaces":["a"],"actions":["create"]}]"#);
        assert_eq!(email_templates(r#"[{"type":"magic-code","body":"x"},{}]"#), ["magic-code"]);
    }
}
