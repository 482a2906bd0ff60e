fn main() {
    // What the queries are checked against where no database is at hand.
    println!("cargo::rerun-if-changed=../.sqlx");
}
