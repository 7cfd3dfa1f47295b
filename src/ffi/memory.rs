//! Room for large bodies.

/// Room for so many bytes. Where that is much, the system is advised to provide it in huge pages, of which a body of
/// tens of megabytes takes some tens instead of some thousands, one page fault each.
pub fn room(bytes: usize) -> Vec<u8> {
    let mut room = Vec::with_capacity(bytes);
    advise(&mut room);
    room
}

/// The allocator has a mapping of its own for what is larger, so that the advice holds for nothing else.
#[cfg(target_os = "linux")]
const LARGE: usize = 32 << 20;

#[cfg(target_os = "linux")]
fn advise(room: &mut Vec<u8>) {
    const PAGE: usize = 4096;
    let spare = room.spare_capacity_mut();
    if spare.len() <= LARGE {
        return;
    }
    let skipped = spare.as_ptr().align_offset(PAGE);
    let Some(pages) = spare.get_mut(skipped..) else {
        return;
    };
    let (start, bytes) = (pages.as_mut_ptr(), pages.len() / PAGE * PAGE);
    // SAFETY: the range is ours alone, and the advice changes no byte of it. Where it is refused, as it is by systems without huge
    // pages or with larger ones than `PAGE`, all stays as it was.
    unsafe { libc::madvise(start.cast(), bytes, libc::MADV_HUGEPAGE) };
}

#[cfg(not(target_os = "linux"))]
fn advise(_room: &mut Vec<u8>) {}

#[cfg(test)]
#[cfg(all(target_os = "linux", not(miri)))]
mod tests {
    use super::*;

    /// Whether the system was advised to give this address a huge page.
    fn advised(address: usize) -> bool {
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut inside = false;
        for line in maps.lines() {
            if let Some(flags) = line.strip_prefix("VmFlags:") {
                if inside {
                    return flags.split_whitespace().any(|flag| flag == "hg");
                }
                continue;
            }
            let range = line
                .split_whitespace()
                .next()
                .and_then(|range| range.split_once('-'));
            let number = |text: &str| usize::from_str_radix(text, 16).ok();
            if let Some((Some(start), Some(end))) =
                range.map(|(start, end)| (number(start), number(end)))
            {
                inside = (start..end).contains(&address);
            }
        }
        panic!("{address:x} is not mapped");
    }

    #[test]
    fn only_much_room_is_to_be_in_huge_pages() {
        if !std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists() {
            return;
        }
        for (bytes, expected) in [(LARGE * 2, true), (LARGE, false)] {
            let room = room(bytes);
            assert!(room.is_empty() && room.capacity() >= bytes);
            assert_eq!(advised(room.as_ptr() as usize + bytes / 2), expected);
        }
    }
}
