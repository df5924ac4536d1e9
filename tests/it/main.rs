//! The program as its users meet it: the binary, its files, its exit codes.
#![allow(clippy::disallowed_methods, reason = "tests write the files that the program meets")]

mod support;
mod data;

mod help;
mod usage;
mod contract;
mod whole;
mod damage;
