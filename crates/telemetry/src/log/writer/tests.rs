use std::io::{BufRead, BufReader, PipeReader, Read, pipe};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use super::*;

/// More than a pipe holds when nobody reads it.
const LONG: usize = 1024 * 1024;

fn start(lines: usize, bytes: usize, out: impl Write + Send + 'static) -> Writer {
    Writer::start(lines, bytes, out, |line, lines| line.extend_from_slice(format!("{lines} dropped\n").as_bytes()))
        .unwrap()
}

fn push(writer: &Writer, line: &str) {
    let mut writer = writer;
    writer.write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// A writer whose thread hangs in a long line: the pipe is full.
fn stuck(lines: usize, bytes: usize) -> (BufReader<PipeReader>, Writer) {
    let (reader, out) = pipe().unwrap();
    let writer = start(lines, bytes, out);
    push(&writer, &"x".repeat(LONG));
    (BufReader::new(reader), writer)
}

fn read(reader: &mut impl BufRead) -> String {
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

#[test]
fn lines_of_many_threads_arrive_whole_and_each_thread_s_in_order() {
    let (reader, out) = pipe().unwrap();
    let writer = start(100_000, LONG * 8, out);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let writer = writer.clone();
            scope.spawn(move || (0..5_000).for_each(|number| push(&writer, &format!("{thread} {number}"))));
        }
        drop(writer);
        let mut next = [0; 4];
        for line in BufReader::new(reader).lines() {
            let line = line.unwrap();
            let (thread, number) = line.split_once(' ').unwrap();
            let next = &mut next[thread.parse::<usize>().unwrap()];
            assert_eq!(number.parse(), Ok(*next));
            *next += 1;
        }
        assert_eq!(next, [5_000; 4]);
    });
}

#[test]
fn a_full_pipe_costs_the_lines_that_find_no_room_and_nobody_s_time() {
    let (_reader, writer) = stuck(10, LONG * 2);
    let started = Instant::now();
    (0..1_000).for_each(|number| push(&writer, &number.to_string()));
    assert!(!writer.close(Duration::from_millis(50)));
    push(&writer, "one more is not waited for");
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!(writer.numbers(), Numbers { written: 0, dropped: 992, waiting: 10, capacity: 10 });
}

#[test]
fn room_is_a_matter_of_bytes_too() {
    let (_reader, writer) = stuck(1_000, LONG + 11);
    (0..10).for_each(|_| push(&writer, "1234"));
    assert_eq!(writer.numbers(), Numbers { written: 0, dropped: 8, waiting: 3, capacity: 1_000 });
}

/// A line can be read before it is counted.
fn until_written(writer: &Writer) {
    while writer.numbers().waiting > 0 {
        thread::yield_now();
    }
}

#[test]
fn dropped_lines_are_told_of_once_there_is_room_again_and_at_most_once_a_minute() {
    let (mut reader, writer) = stuck(2, LONG * 2);
    for line in ["second", "dropped", "dropped"] {
        push(&writer, line);
    }
    assert_eq!(read(&mut reader).len(), LONG);
    assert_eq!((read(&mut reader), read(&mut reader)), ("second".to_owned(), "2 dropped".to_owned()));
    until_written(&writer);

    let long = "y".repeat(LONG);
    for line in [long.as_str(), "kept", "dropped"] {
        push(&writer, line);
    }
    assert_eq!(read(&mut reader).len(), LONG);
    assert_eq!(read(&mut reader), "kept");
    until_written(&writer);
    push(&writer, "later");
    assert_eq!(read(&mut reader), "later", "the minute is not over");
    assert!(writer.close(Duration::from_secs(10)));
    assert_eq!(read(&mut reader), "1 dropped", "the end of the process does not wait for the minute");
}

#[test]
fn after_the_end_was_announced_a_line_is_written_when_the_call_returns() {
    let (mut reader, out) = pipe().unwrap();
    let writer = start(10, LONG, out);
    assert!(writer.close(Duration::from_secs(10)));
    push(&writer, "last words");
    assert_eq!(writer.numbers(), Numbers { written: 1, dropped: 0, waiting: 0, capacity: 10 });
    drop(writer);
    let mut everything = String::new();
    reader.read_to_string(&mut everything).unwrap();
    assert_eq!(everything, "last words\n");
}

#[test]
fn who_forgets_to_announce_the_end_loses_nothing_either() {
    let (_reader, out) = pipe().unwrap();
    let writer = start(1_000, LONG, out);
    let closing = Closing(writer.clone());
    (0..1_000).for_each(|number| push(&writer, &number.to_string()));
    drop(closing);
    assert_eq!(writer.numbers(), Numbers { written: 1_000, dropped: 0, waiting: 0, capacity: 1_000 });
}

#[test]
fn a_reader_that_is_gone_costs_lines_and_no_time() {
    let (reader, out) = pipe().unwrap();
    drop(reader);
    let writer = start(10, LONG, out);
    push(&writer, "to nobody");
    assert!(writer.close(Duration::from_secs(10)));
    push(&writer, "to nobody");
    assert_eq!(writer.numbers(), Numbers { written: 0, dropped: 2, waiting: 0, capacity: 10 });
}

#[test]
fn a_reader_that_is_not_to_be_waited_for_gets_every_byte_all_the_same() {
    let (out, mut reader) = UnixStream::pair().unwrap();
    out.set_nonblocking(true).unwrap();
    let writer = start(100_000, LONG * 2, out);
    (0..50_000).for_each(|number| push(&writer, &number.to_string()));
    drop(writer);
    let mut everything = String::new();
    reader.read_to_string(&mut everything).unwrap();
    assert!(everything.lines().map(|line| line.parse::<u32>().unwrap()).eq(0..50_000));
}
