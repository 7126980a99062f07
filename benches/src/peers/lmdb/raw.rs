//! The little of LMDB's C interface that the comparison needs, made safe: an environment, write
//! transactions, and read transactions whose cursors are reused from request to request, which the
//! safe wrappers of LMDB do not offer.
//!
//! Nothing in it can be misused from outside: handles live no longer than the environment, a slice
//! lives no longer than the borrow of the snapshot or transaction that it was read in.
#![expect(unsafe_code, reason = "the C library is called here, and nowhere else")]

use std::ffi::{CStr, CString, c_int, c_uint, c_void};
use std::path::Path;
use std::ptr;

use lmdb_master_sys as c;

use crate::Outcome;

/// A slice that was found, of the key and of the data.
pub type Pair<'a> = (&'a [u8], &'a [u8]);

fn check(code: c_int) -> Outcome<()> {
    if code == 0 {
        return Ok(());
    }
    // SAFETY: LMDB returns a string that lives for ever for every code.
    let message = unsafe { CStr::from_ptr(c::mdb_strerror(code)) };
    Err(format!("LMDB: {}", message.to_string_lossy()).into())
}

const fn value(bytes: &[u8]) -> c::MDB_val {
    c::MDB_val { mv_size: bytes.len(), mv_data: bytes.as_ptr().cast_mut().cast::<c_void>() }
}

/// A named table of an environment.
#[derive(Clone, Copy, Debug)]
pub struct Table(c::MDB_dbi);

/// An open environment.
pub struct Env(*mut c::MDB_env);

// SAFETY: LMDB allows an environment to be used by all threads at once. Transactions that write
// stay on their thread by the lifetimes and `!Send` of [`Write`]; with MDB_NOTLS, which `open`
// always sets, those that read are bound to no thread.
unsafe impl Send for Env {}
// SAFETY: as above.
unsafe impl Sync for Env {}

impl Env {
    /// Opens the environment of a directory that exists.
    pub fn open(dir: &Path, map_bytes: usize, flags: c_uint) -> Outcome<Self> {
        let path = CString::new(dir.as_os_str().as_encoded_bytes())?;
        let mut env = ptr::null_mut();
        // SAFETY: `env` is written by the call; on success it is ours.
        check(unsafe { c::mdb_env_create(&raw mut env) })?;
        // From here on it is closed whatever happens, as LMDB asks for also after a failed open.
        let env = Self(env);
        // SAFETY: the environment is created and not yet open, as both calls ask for.
        check(unsafe { c::mdb_env_set_mapsize(env.0, map_bytes) })?;
        // SAFETY: as above.
        check(unsafe { c::mdb_env_set_maxdbs(env.0, 4) })?;
        // SAFETY: `path` is a C string that outlives the call.
        check(unsafe { c::mdb_env_open(env.0, path.as_ptr(), flags | c::MDB_NOTLS, 0o644) })?;
        Ok(env)
    }

    /// Opens tables, made if they are missing.
    pub fn tables(&self, tables: &[(&str, c_uint)]) -> Outcome<Vec<Table>> {
        let write = self.write()?;
        let mut opened = Vec::new();
        for (name, flags) in tables {
            let name = CString::new(*name)?;
            let mut table = 0;
            // SAFETY: the transaction is live, `name` outlives the call, `table` is written by it.
            check(unsafe {
                c::mdb_dbi_open(write.txn, name.as_ptr(), flags | c::MDB_CREATE, &raw mut table)
            })?;
            opened.push(Table(table));
        }
        write.commit()?;
        Ok(opened)
    }

    /// Begins the one transaction that writes, when no other does.
    pub fn write(&self) -> Outcome<Write<'_>> {
        let mut txn = ptr::null_mut();
        // SAFETY: the environment is open for as long as it is borrowed; `txn` is written.
        check(unsafe { c::mdb_txn_begin(self.0, ptr::null_mut(), 0, &raw mut txn) })?;
        Ok(Write { txn, _env: self })
    }

    /// Begins to read, with a cursor for each of some tables.
    pub fn read(&self, tables: &[Table]) -> Outcome<Snapshot<'_>> {
        let mut txn = ptr::null_mut();
        // SAFETY: the environment is open for as long as it is borrowed; `txn` is written.
        check(unsafe { c::mdb_txn_begin(self.0, ptr::null_mut(), c::MDB_RDONLY, &raw mut txn) })?;
        let mut snapshot = Snapshot { txn, cursors: Vec::new(), _env: self };
        for table in tables {
            let mut cursor = ptr::null_mut();
            // SAFETY: the transaction is live and the table is open; `cursor` is written.
            check(unsafe { c::mdb_cursor_open(snapshot.txn, table.0, &raw mut cursor) })?;
            snapshot.cursors.push(cursor);
        }
        Ok(snapshot)
    }

    /// Brings all that was committed to the disk.
    pub fn sync(&self) -> Outcome<()> {
        // SAFETY: the environment is open.
        check(unsafe { c::mdb_env_sync(self.0, 1) })
    }
}

impl Drop for Env {
    fn drop(&mut self) {
        // SAFETY: transactions and snapshots borrow the environment, so none is left.
        unsafe { c::mdb_env_close(self.0) }
    }
}

/// A transaction that writes; given up unless it is committed.
pub struct Write<'e> {
    txn: *mut c::MDB_txn,
    _env: &'e Env,
}

impl Write<'_> {
    /// Puts a pair; whether it is new, which matters only with flags that ask not to overwrite.
    pub fn put(&mut self, table: Table, key: &[u8], data: &[u8], flags: c_uint) -> Outcome<bool> {
        let (mut key, mut data) = (value(key), value(data));
        // SAFETY: the transaction is live; LMDB copies the bytes and, without MDB_RESERVE, writes
        // only to the two structures.
        let code = unsafe {
            c::mdb_put(self.txn, table.0, &raw mut key, &raw mut data, flags & !c::MDB_RESERVE)
        };
        if code == c::MDB_KEYEXIST {
            return Ok(false);
        }
        check(code).map(|()| true)
    }

    /// The data of a key, as long as nothing is put.
    pub fn get(&self, table: Table, key: &[u8]) -> Outcome<Option<&[u8]>> {
        let (mut key, mut data) = (value(key), value(&[]));
        // SAFETY: the transaction is live; the call writes only to the two structures.
        let code = unsafe { c::mdb_get(self.txn, table.0, &raw mut key, &raw mut data) };
        if code == c::MDB_NOTFOUND {
            return Ok(None);
        }
        check(code)?;
        // SAFETY: LMDB promises the bytes until the next update in this transaction or its end;
        // both need it by `&mut` or by value, while the slice borrows it.
        Ok(Some(unsafe { std::slice::from_raw_parts(data.mv_data.cast::<u8>(), data.mv_size) }))
    }

    /// Makes all of it visible.
    pub fn commit(self) -> Outcome<()> {
        let txn = self.txn;
        std::mem::forget(self);
        // SAFETY: the transaction is live, and nobody has its pointer any more.
        check(unsafe { c::mdb_txn_commit(txn) })
    }
}

impl Drop for Write<'_> {
    fn drop(&mut self) {
        // SAFETY: it was not committed, which would have kept it from being dropped.
        unsafe { c::mdb_txn_abort(self.txn) }
    }
}

/// What one who reads sees, and its cursors, one for each table.
pub struct Snapshot<'e> {
    txn: *mut c::MDB_txn,
    cursors: Vec<*mut c::MDB_cursor>,
    _env: &'e Env,
}

impl Snapshot<'_> {
    /// Sees all that is committed by now.
    pub fn renew(&mut self) -> Outcome<()> {
        // SAFETY: the transaction reads and is live. No slice of it is left: they borrow `self`.
        unsafe { c::mdb_txn_reset(self.txn) };
        // SAFETY: it was just reset.
        check(unsafe { c::mdb_txn_renew(self.txn) })?;
        for cursor in &self.cursors {
            // SAFETY: both are live, and the cursor is of a transaction that reads.
            check(unsafe { c::mdb_cursor_renew(self.txn, *cursor) })?;
        }
        Ok(())
    }

    /// Moves a cursor; the pair on which it stands then, if there is one.
    pub fn seek<'a>(
        &'a mut self,
        cursor: usize,
        key: &'a [u8],
        data: &'a [u8],
        to: To,
    ) -> Outcome<Option<Pair<'a>>> {
        let (mut key, mut data) = (value(key), value(data));
        // SAFETY: the cursor's transaction is live; the call writes only to the two structures.
        let code = unsafe {
            c::mdb_cursor_get(self.cursors[cursor], &raw mut key, &raw mut data, to as c_uint)
        };
        if code == c::MDB_NOTFOUND {
            return Ok(None);
        }
        check(code)?;
        // SAFETY: the structures hold what was passed or bytes of the map. The map's pages stay as
        // they are until the transaction is reset or ends, which needs `self` by `&mut` or by
        // value; the slices borrow it for `'a`, and what was passed lives for `'a`.
        Ok(Some(unsafe { (slice(&key), slice(&data)) }))
    }

    /// As [`Snapshot::seek`], of a table of fixed duplicates: the key, and the first page of its
    /// duplicates beside one another.
    pub fn seek_all<'a>(
        &'a mut self,
        cursor: usize,
        key: &'a [u8],
        to: To,
    ) -> Outcome<Option<Pair<'a>>> {
        let (mut key, mut data) = (value(key), value(&[]));
        // SAFETY: as in `seek`.
        let code = unsafe {
            c::mdb_cursor_get(self.cursors[cursor], &raw mut key, &raw mut data, to as c_uint)
        };
        if code == c::MDB_NOTFOUND {
            return Ok(None);
        }
        check(code)?;
        // SAFETY: as in `seek`. A key without duplicates leaves `data` as it is: what was found.
        check(unsafe {
            let multiple = c::MDB_GET_MULTIPLE;
            c::mdb_cursor_get(self.cursors[cursor], &raw mut key, &raw mut data, multiple)
        })?;
        // SAFETY: as in `seek`.
        Ok(Some(unsafe { (slice(&key), slice(&data)) }))
    }
}

/// Where a cursor moves to.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub enum To {
    /// The first key from this one on.
    KeyFrom = c::MDB_SET_RANGE,
    /// The first duplicate of this key from this data on.
    DataFrom = c::MDB_GET_BOTH_RANGE,
    /// The next pair.
    Next = c::MDB_NEXT,
    /// The next key.
    NextKey = c::MDB_NEXT_NODUP,
}

/// The bytes that a structure points to.
///
/// # Safety
/// They live for `'a`, and nobody writes to them meanwhile.
unsafe fn slice<'a>(value: &c::MDB_val) -> &'a [u8] {
    // SAFETY: as the caller argues.
    unsafe { std::slice::from_raw_parts(value.mv_data.cast::<u8>(), value.mv_size) }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        for cursor in &self.cursors {
            // SAFETY: cursors of transactions that read are closed by hand, once.
            unsafe { c::mdb_cursor_close(*cursor) };
        }
        // SAFETY: the transaction is live, and nobody has its pointer any more.
        unsafe { c::mdb_txn_abort(self.txn) }
    }
}
