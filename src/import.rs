//! A verified bundle into a target: order, batches, read-back.
