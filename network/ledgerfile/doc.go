// Package ledgerfile reads the files of Fabric's peers and orderers, also while the
// server runs, and compares them with each other. Only [DamageError.Truncate]
// writes to one.
//
//   - [Compare] recomputes the hashes of the blocks in several servers' block files, and
//     compares the servers block by block.
//   - [CheckState] plays the blocks of a peer and compares each value in the peer's state
//     database with them.
//   - [CopyDatabase] and [CheckDatabase] read every byte of a LevelDB database.
//
// They see what Fabric does not look at: a peer and an orderer hash a block once, when it
// arrives. They do not see a false signature of an orderer in the metadata of a block, or
// a false block that most servers have.
//
// The forms of the files are those of Fabric 3.1.1: common/ledger/blkstorage and
// core/ledger/kvledger.
package ledgerfile
