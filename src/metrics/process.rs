//! The figures of the process itself, as the kernel tells them.

use std::fmt::Write;
use std::fs;

use chrono::{DateTime, Utc};

use super::names::{
    BUILD_INFO, Kind, Metric, PROCESS_CPU, PROCESS_MAX_FDS, PROCESS_OPEN_FDS, PROCESS_RESIDENT_MEMORY,
    PROCESS_START_TIME, PROCESS_THREADS, PROCESS_VIRTUAL_MEMORY,
};

/// Where the kernel tells of this process. Source: proc(5).
const PROC: &str = "/proc/self";

/// The fields of `stat` we read, counted from the state behind the name. Source: proc_pid_stat(5).
mod field {
    /// Time in user mode, ticks.
    pub const UTIME: usize = 11;
    /// Time in the kernel, ticks.
    pub const STIME: usize = 12;
    /// Threads.
    pub const THREADS: usize = 17;
    /// Virtual memory, bytes.
    pub const VSIZE: usize = 20;
    /// Resident memory, pages.
    pub const RSS: usize = 21;
}

/// What the kernel tells; what it does not is left out.
pub(super) fn render(started_at: Option<DateTime<Utc>>) -> String {
    let mut page = String::new();
    let version = format!("{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    show(&mut page, &BUILD_INFO, &version, Some(1.0));
    if let Ok(stat) = fs::read_to_string(format!("{PROC}/stat")) {
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        let page_size = rustix::param::page_size() as f64;
        let cpu = number(&stat, field::UTIME).zip(number(&stat, field::STIME));
        show(&mut page, &PROCESS_CPU, "", cpu.map(|(user, system)| (user + system) / ticks));
        let resident = number(&stat, field::RSS).map(|pages| pages * page_size);
        show(&mut page, &PROCESS_RESIDENT_MEMORY, "", resident);
        show(&mut page, &PROCESS_VIRTUAL_MEMORY, "", number(&stat, field::VSIZE));
        show(&mut page, &PROCESS_THREADS, "", number(&stat, field::THREADS));
    }
    let open = fs::read_dir(format!("{PROC}/fd")).ok().map(|entries| entries.count() as f64);
    show(&mut page, &PROCESS_OPEN_FDS, "", open);
    let limits = fs::read_to_string(format!("{PROC}/limits")).unwrap_or_default();
    show(&mut page, &PROCESS_MAX_FDS, "", most_files(&limits));
    let started = started_at.map(|at| at.timestamp_millis() as f64 / 1000.0);
    show(&mut page, &PROCESS_START_TIME, "", started);
    page
}

/// Adds a figure with its type and help, if there is one.
fn show(page: &mut String, metric: &Metric, labels: &str, value: Option<f64>) {
    let Some(value) = value else { return };
    let kind = match metric.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    let Metric { name, meaning, .. } = metric;
    write!(page, "# HELP {name} {meaning}\n# TYPE {name} {kind}\n{name}{labels} {value}\n\n")
        .expect("text can be written to text");
}

/// A number of `stat`. The name of the process comes before and may hold anything, blanks and brackets included.
fn number(stat: &str, field: usize) -> Option<f64> {
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(field)?.parse().ok()
}

/// The soft limit of file descriptors in `limits`; `None` where there is none.
fn most_files(limits: &str) -> Option<f64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_those_behind_the_name() {
        let stat = "4242 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 7 0 12345 1048576 300 18446744073709551615 1";
        let found = [field::UTIME, field::STIME, field::THREADS, field::VSIZE, field::RSS]
            .map(|field| number(stat, field));
        assert_eq!(found, [250.0, 50.0, 7.0, 1_048_576.0, 300.0].map(Some));
        assert_eq!(number("nothing", 0), None);
    }

    #[test]
    fn the_soft_limit_counts() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max open files            1024                 524288               files     \n";
        assert_eq!(most_files(limits), Some(1024.0));
        assert_eq!(most_files("Max open files   unlimited unlimited files"), None);
    }

    #[test]
    fn the_figures_of_this_process_are_plausible() {
        let page = render(None);
        let value = |name: &str| -> f64 {
            let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("{name} is not in {page}")).parse().unwrap()
        };
        let resident = value("process_resident_memory_bytes");
        assert!((1e6..1e10).contains(&resident), "{resident}");
        assert!(value("process_virtual_memory_bytes") >= resident);
        assert!(value("process_threads") >= 1.0 && value("process_open_fds") >= 3.0);
        assert!(value("process_max_fds") >= value("process_open_fds"));
    }
}
