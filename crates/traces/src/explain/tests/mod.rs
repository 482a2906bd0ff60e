mod by_hand;
mod faults;
mod generate;
mod instruments;
mod limits;
mod matrix;
mod plan;
mod system;
