//! What the operating system says of this process. Linux only; elsewhere everything is zero.

use std::fs;

/// Processor time used so far, user and system, in seconds.
pub fn cpu_seconds() -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The command's name may hold spaces; what follows it does not (proc(5)).
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / TICKS_PER_SECOND
}

/// Largest resident memory since the last [`reset_peak_memory`], in bytes.
pub fn peak_memory_bytes() -> u64 {
    status_bytes("VmHWM:")
}

/// Resident memory now, in bytes.
pub fn memory_bytes() -> u64 {
    status_bytes("VmRSS:")
}

fn status_bytes(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// Begins a new measurement of the largest resident memory.
pub fn reset_peak_memory() {
    // Not allowed in some containers; the peak then includes what came before.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// Bytes this process has caused to be written to storage so far.
pub fn written_bytes() -> u64 {
    let io = fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes:"));
    line.and_then(|rest| rest.trim().parse().ok()).unwrap_or(0)
}
