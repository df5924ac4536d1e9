//! The program as its users meet it: the binary, its files, its exit codes.
#![allow(clippy::disallowed_methods, reason = "tests write the files that the program meets")]

mod support;
mod data;
mod resealed;
#[allow(dead_code, reason = "the generator has options that no test takes")]
#[path = "../../scripts/generator/generator.rs"]
mod generator;

mod help;
mod unfit;
mod usage;
mod contract;
mod whole;
mod limits;
mod damage;
mod readme;
mod generated;
mod rules;
mod order;
mod ordinary;
mod properties;
mod found;
mod archive_target;
mod pg_connect;
mod pg_pooler;
mod pg_source;
mod pg_target;
mod kills;
mod imports;
mod servers;
mod instantdb;
mod instantdb_client;
mod instantdb_source;
mod instantdb_target;
mod pg_triples;
mod second;
mod parts;
mod compare;
mod document;
mod reconcile;
mod inspect;
mod revert;
mod audit;
mod explain;
mod quarantine;
mod trial;
mod independent;
mod carried;
mod pages;
mod permissions;
mod shells;
