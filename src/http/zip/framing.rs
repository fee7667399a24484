//! A ZIP around files that only pass by: its headers, directory and ZIP64 are the library's; the bytes of
//! the files are summed and counted by it and never copied. It refuses to hold any of them, so a file of
//! any size costs the same. Entries are stored as they are: what people drop is mostly compressed already.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use time::{OffsetDateTime, PrimitiveDateTime};
use zip::write::{FullFileOptions, StreamWriter};
use zip::{CompressionMethod, DateTime, ZipWriter};

/// Sizes and offsets from here on need ZIP64 (APPNOTE 4.4.8).
const ZIP64_BYTES: u64 = u32::MAX as u64;
/// More entries than this need it too (APPNOTE 4.4.21).
const ZIP64_ENTRIES: u64 = u16::MAX as u64;
/// Info-ZIP's extended timestamp (APPNOTE 4.6.1): seconds of Unix time, where DOS has local ones.
const EXTENDED_TIMESTAMP: u16 = 0x5455;
const MODIFIED_IS_THERE: u8 = 1;
const EXTENDED_TIMESTAMP_BYTES: u64 = 9;

/// One file in the ZIP.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Its path, with `/`.
    pub(super) name: String,
    /// Bytes, or none while not known.
    pub(super) size: Option<u64>,
    /// When it was last changed, in milliseconds since the Unix epoch.
    pub(super) modified: Option<u64>,
}

impl Entry {
    /// One of unknown size gets it in any case: its header goes out before its bytes.
    fn needs_zip64(&self) -> bool {
        self.size.is_none_or(|size| size >= ZIP64_BYTES)
    }

    /// Seconds since the Unix epoch, where the extended timestamp has room for them.
    fn timestamp(&self) -> Option<i32> {
        i32::try_from(self.modified? / 1000).ok()
    }

    /// In the form of DOS, which knows the years from 1980 to 2107.
    fn dos_time(&self) -> Option<DateTime> {
        let seconds = i64::try_from(self.modified? / 1000).ok()?;
        let utc = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
        DateTime::try_from(PrimitiveDateTime::new(utc.date(), utc.time())).ok()
    }

    fn options(&self) -> io::Result<FullFileOptions<'static, 'static>> {
        let mut options = FullFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(self.needs_zip64());
        if let Some(time) = self.dos_time() {
            options = options.last_modified_time(time);
        }
        if let Some(timestamp) = self.timestamp() {
            let mut field = vec![MODIFIED_IS_THERE];
            field.extend(timestamp.to_le_bytes());
            options.add_extra_field(EXTENDED_TIMESTAMP, field, false)?;
        }
        Ok(options)
    }
}

/// Bytes of the whole ZIP of these entries; none while a size is not known. The numbers are APPNOTE 4.3.
pub(super) fn length<'a>(entries: impl Iterator<Item = &'a Entry>) -> Option<u64> {
    let (mut files, mut directory, mut count) = (0_u64, 0_u64, 0_u64);
    for entry in entries {
        let zip64 = entry.needs_zip64();
        let offset_is_long = files >= ZIP64_BYTES;
        let timestamp = if entry.timestamp().is_some() { EXTENDED_TIMESTAMP_BYTES } else { 0 };
        let named = entry.name.len() as u64 + timestamp;
        let central_zip64 = match (zip64, offset_is_long) {
            (false, false) => 0,
            (false, true) => 4 + 8,
            (true, false) => 4 + 16,
            (true, true) => 4 + 24,
        };
        directory += 46 + named + central_zip64;
        let (local_zip64, descriptor) = if zip64 { (4 + 16, 24) } else { (0, 16) };
        files = files.checked_add(30 + named + local_zip64 + descriptor)?.checked_add(entry.size?)?;
        count += 1;
    }
    let is_zip64 = count > ZIP64_ENTRIES || files.max(directory) > ZIP64_BYTES;
    let end = if is_zip64 { 56 + 20 + 22 } else { 22 };
    files.checked_add(directory)?.checked_add(end)
}

/// What is written around the files. Its words are taken after every call, before the file's own bytes.
pub(super) struct Framing {
    writer: Option<ZipWriter<StreamWriter<Shared>>>,
    tray: Shared,
}

impl Framing {
    pub(super) fn new() -> Self {
        let tray = Shared::default();
        Self { writer: Some(ZipWriter::new_stream(tray.clone())), tray }
    }

    /// Ends the file before, if there is one, and begins this.
    pub(super) fn begin(&mut self, entry: &Entry) -> io::Result<()> {
        let options = entry.options()?;
        Ok(self.writer()?.start_file(entry.name.as_str(), options)?)
    }

    /// Takes note of bytes of the file, which go out as they came.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.tray.lock().what_comes = WhatComes::Bytes;
        let passed = self.writer()?.write_all(bytes);
        self.tray.lock().what_comes = WhatComes::Words;
        passed
    }

    /// Ends the last file, and the ZIP.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        let writer = self.writer.take().ok_or_else(is_finished)?;
        writer.finish()?;
        Ok(())
    }

    /// What the ZIP has to say now.
    pub(super) fn take(&mut self) -> Bytes {
        std::mem::take(&mut self.tray.lock().words).into()
    }

    fn writer(&mut self) -> io::Result<&mut ZipWriter<StreamWriter<Shared>>> {
        self.writer.as_mut().ok_or_else(is_finished)
    }
}

fn is_finished() -> io::Error {
    io::Error::other("the ZIP is finished")
}

/// Where the library writes to.
#[derive(Debug, Default)]
struct Tray {
    words: Vec<u8>,
    what_comes: WhatComes,
}

/// What the library is writing.
#[derive(Debug, Clone, Copy, Default)]
enum WhatComes {
    /// Words of its own, which are kept until they are taken.
    #[default]
    Words,
    /// A file's bytes, which whoever brought them has.
    Bytes,
}

#[derive(Debug, Clone, Default)]
struct Shared(Arc<Mutex<Tray>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Tray> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut tray = self.lock();
        if let WhatComes::Words = tray.what_comes {
            tray.words.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Cursor, Read, Seek, SeekFrom};

    use proptest::prelude::*;
    use zip::ZipArchive;

    use super::*;

    fn entry(name: &str, size: Option<u64>) -> Entry {
        Entry { name: name.to_owned(), size, modified: None }
    }

    /// The ZIP of these files, each in pieces of at most three bytes.
    fn zipped(files: &[(Entry, Vec<u8>)]) -> Vec<u8> {
        let mut framing = Framing::new();
        let mut all = Vec::new();
        for (entry, bytes) in files {
            framing.begin(entry).unwrap();
            all.extend(framing.take());
            for piece in bytes.chunks(3) {
                framing.pass(piece).unwrap();
                assert!(framing.take().is_empty());
                all.extend(piece);
            }
        }
        framing.finish().unwrap();
        all.extend(framing.take());
        all
    }

    proptest! {
        #[test]
        fn whatever_is_zipped_comes_out_again_and_the_length_is_known(
            files in proptest::collection::vec(
                (
                    proptest::collection::vec(any::<u8>(), 0..40),
                    any::<bool>(),
                    proptest::option::of(0_u64..5_000_000_000_000),
                ),
                0..6,
            )
        ) {
            let files: Vec<_> = files
                .into_iter()
                .enumerate()
                .map(|(number, (bytes, is_known, modified))| {
                    let size = is_known.then_some(bytes.len() as u64);
                    (Entry { name: format!("é/{number}.bin"), size, modified }, bytes)
                })
                .collect();
            let all = zipped(&files);
            let are_known = files.iter().all(|(entry, _)| entry.size.is_some());
            let length = length(files.iter().map(|(entry, _)| entry));
            prop_assert_eq!(length, are_known.then_some(all.len() as u64));
            let mut archive = ZipArchive::new(Cursor::new(all)).unwrap();
            prop_assert_eq!(archive.len(), files.len());
            for (index, (entry, bytes)) in files.iter().enumerate() {
                let mut file = archive.by_index(index).unwrap();
                prop_assert_eq!(&*file.name().unwrap(), entry.name.as_str());
                let mut read = Vec::new();
                file.read_to_end(&mut read).unwrap();
                prop_assert_eq!(&read, bytes);
            }
        }
    }

    #[test]
    fn the_time_of_a_file_is_in_the_zip() {
        let mut dated = entry("a", Some(0));
        dated.modified = Some(1_000_000_000_999);
        let all = zipped(&[(dated, Vec::new())]);
        let mut archive = ZipArchive::new(Cursor::new(&all)).unwrap();
        let time = archive.by_index(0).unwrap().last_modified().unwrap();
        assert_eq!(time, DateTime::from_date_and_time(2001, 9, 9, 1, 46, 40).unwrap());
        let field = [&EXTENDED_TIMESTAMP.to_le_bytes()[..], &[5, 0, 1], &1_000_000_000_u32.to_le_bytes()];
        let field = field.concat();
        let count = all.windows(field.len()).filter(|window| **window == field).count();
        assert_eq!(count, 2, "in the header and in the directory");
    }

    /// Zips files of zeros into a sparse file, which is left at its end.
    fn zip_zeros(entries: &[Entry], sizes: &[u64]) -> File {
        const PIECE: u64 = 8 << 20;
        let zeros = vec![0; PIECE as usize];
        let mut sparse = tempfile::tempfile().unwrap();
        let mut framing = Framing::new();
        for (entry, size) in entries.iter().zip(sizes) {
            framing.begin(entry).unwrap();
            sparse.write_all(&framing.take()).unwrap();
            let mut left = *size;
            while left > 0 {
                let piece = left.min(PIECE);
                framing.pass(&zeros[..piece as usize]).unwrap();
                left -= piece;
            }
            assert!(framing.take().is_empty(), "nothing of a file is held");
            sparse.seek(SeekFrom::Current(*size as i64)).unwrap();
        }
        framing.finish().unwrap();
        sparse.write_all(&framing.take()).unwrap();
        sparse
    }

    #[test]
    fn more_than_32_bits_count_is_no_limit() {
        let sizes = [3, (4 << 30) + 5, 7];
        let entries = [entry("small", Some(3)), entry("large", Some(sizes[1])), entry("after", Some(7))];
        let mut sparse = zip_zeros(&entries, &sizes);
        assert_eq!(length(entries.iter()), Some(sparse.stream_position().unwrap()));
        let mut archive = ZipArchive::new(sparse).unwrap();
        for (index, entry) in entries.iter().enumerate() {
            let mut file = archive.by_index(index).unwrap();
            assert_eq!((file.name().unwrap().as_ref(), Some(file.size())), (entry.name.as_str(), entry.size));
            let mut begin = Vec::new();
            file.by_ref().take(100).read_to_end(&mut begin).unwrap();
            assert_eq!(begin, vec![0; file.size().min(100) as usize]);
        }
    }

    #[test]
    fn more_entries_than_16_bits_count_are_no_limit() {
        let many: Vec<_> = (0..=ZIP64_ENTRIES).map(|number| entry(&number.to_string(), Some(0))).collect();
        for entries in [&many[..], &many[1..]] {
            let mut sparse = zip_zeros(entries, &vec![0; entries.len()]);
            assert_eq!(length(entries.iter()), Some(sparse.stream_position().unwrap()));
            assert_eq!(ZipArchive::new(sparse).unwrap().len(), entries.len());
        }
    }
}
