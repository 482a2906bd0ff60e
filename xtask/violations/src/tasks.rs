//! Tasks that would leave their trace.

use std::thread;

use tokio::runtime::{Handle, Runtime};
use tokio::task::{self, JoinSet, LocalSet};
use tokio_util::task::TaskTracker;

pub fn tokio_spawn() {
    tokio::spawn(async {});
}

pub fn task_spawn() {
    task::spawn(async {});
}

pub fn task_spawn_local() {
    task::spawn_local(async {});
}

pub fn task_spawn_blocking() {
    task::spawn_blocking(|| ());
}

pub fn handle_spawn(handle: &Handle) {
    handle.spawn(async {});
}

pub fn handle_spawn_blocking(handle: &Handle) {
    handle.spawn_blocking(|| ());
}

pub fn runtime_spawn(runtime: &Runtime) {
    runtime.spawn(async {});
}

pub fn runtime_spawn_blocking(runtime: &Runtime) {
    runtime.spawn_blocking(|| ());
}

pub fn join_set_spawn(set: &mut JoinSet<()>) {
    set.spawn(async {});
}

pub fn join_set_spawn_on(set: &mut JoinSet<()>, handle: &Handle) {
    set.spawn_on(async {}, handle);
}

pub fn join_set_spawn_local(set: &mut JoinSet<()>) {
    set.spawn_local(async {});
}

pub fn join_set_spawn_blocking(set: &mut JoinSet<()>) {
    set.spawn_blocking(|| ());
}

pub fn join_set_spawn_blocking_on(set: &mut JoinSet<()>, handle: &Handle) {
    set.spawn_blocking_on(|| (), handle);
}

pub fn local_set_spawn_local(set: &LocalSet) {
    set.spawn_local(async {});
}

pub fn tracker_spawn(tracker: &TaskTracker) {
    tracker.spawn(async {});
}

pub fn tracker_spawn_on(tracker: &TaskTracker, handle: &Handle) {
    tracker.spawn_on(async {}, handle);
}

pub fn tracker_spawn_local(tracker: &TaskTracker) {
    tracker.spawn_local(async {});
}

pub fn tracker_spawn_blocking(tracker: &TaskTracker) {
    tracker.spawn_blocking(|| ());
}

pub fn thread_spawn() {
    thread::spawn(|| ());
}

pub fn thread_builder_spawn(builder: thread::Builder) {
    drop(builder.spawn(|| ()));
}

pub fn thread_scope_spawn<'scope>(scope: &'scope thread::Scope<'scope, '_>) {
    scope.spawn(|| ());
}
