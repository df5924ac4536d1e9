//! Two bundles of the same snapshot: which outcomes changed, by rule.
