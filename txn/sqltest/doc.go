// Package sqltest holds the tests of package txn on a real database, SQLite. It
// is a module of its own, so that eventbus requires no database driver.
package sqltest
