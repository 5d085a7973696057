// Package index is Chartseal's encrypted keyword index: what a hospital's client writes
// to the ledger so that an entitled colleague elsewhere can find a record by what is in
// it, while every peer that stores the entries learns nothing from them at rest. It holds
// the protocol, the vocabulary of terms, and the query language. The ledger is behind
// [Store]; the package does no other input or output.
//
// Most callers write with [Writer.Put], or with [Writer.Write] when an outbox keeps the
// entries until they are known to be written, and search with [ParseQuery] and
// [Query.Evaluate] over a [Session] of a [Searcher].
//
// # Keys and labels
//
// A scope has a secret key for each epoch, [ScopeKey]. Everything is derived from it,
// under the suite string "chartseal/index/v2" ("||" joins bytes; integers are big endian;
// u16 and u64 have 2 and 8 bytes):
//
//	K_w      = HMAC-SHA256(scope key, suite || "/term" || 0x00 || term)
//	K_label  = HKDF-Expand-SHA256(K_w, suite || "/label", 32)
//	K_value  = HKDF-Expand-SHA256(K_w, suite || "/value", 64)
//	K_hint   = HKDF-Expand-SHA256(K_w, suite || "/hint", 32)      names a chain in the local cache, never on the ledger
//	label    = HMAC-SHA256(K_label, u16(len MSP) || MSP || u16(slot) || u64(counter))[0:16]
//	value    = AES-SIV(K_value, plaintext, associated data = label)     RFC 5297: 16 bytes of synthetic IV, 32 of ciphertext
//
// No nonce is kept for a value, as its label serves for one. Yet a label may be used
// twice: a transaction that fails at commit stays in its block, and what takes its place
// may be another posting. Hence the synthetic IV, which depends on all of posting and
// label, so that two postings under one label give values that have nothing in common;
// the same posting gives the same value, and so a repeated attempt nothing new. The
// entry's key on the ledger is a hash of MSP and label, and the chaincode writes only
// under the caller's own MSP, once. As the MSP is in the label too, no hospital can move
// another's entry to its own name.
//
// A term's entries of one hospital are spread over [Slots] chains. Each chain's counters
// start at 0 and have no holes, for a writer puts n only after it has seen n-1 committed.
// So a reader finds a chain's end by galloping, and a hole that it finds is proof that
// the peer it asked withholds an entry.
//
// # The 32 bytes of a posting
//
//	 0   5  layout, 2, in the highest 4 of 40 bits; then in 18 bits each the first clinical day of the record, as days since
//	        1970-01-01 plus 2^17, and the last one; 0 when it has none
//	 5   2  operation in the higher 2 of 16 bits, 1 add or 2 delete; then the version of the record, from 1
//	 7  16  record id
//	23   4  when the posting was made: seconds since 1970-01-01
//	27   5  kind of the record
//
// The kind is one to five bytes of UTF-8, with zeros after it, or a byte that is no
// character and four that it explains (integers):
//
//	0   no kind
//	1   the number of a name in a fixed table: "fhir:" and a resource type, or "dicom:" and a long modality
//	2   "hl7v2:", message, "^" and event, each up to three capital letters and digits: six digits of a number to the base 37, where 0
//	    stands for nothing, 1 for A and 27 for 0; without an event there is no "^"
//	3   "dicom:" and up to six such letters and digits
//	4   up to four bytes with which a kind begins that does not fit, cut at a character; 5, 6 and 7 the same after "fhir:", "hl7v2:" and "dicom:"
//
// A kind that was cut ends in "…" where it is shown ([ClipKind]). A search for a kind is
// not affected: it finds terms, and looks those up where a posting does not tell.
//
// Add and delete commute: a delete of version v hides that hospital's adds of the record
// up to version v, whatever order they are read in. A posting may be there twice; it
// counts once. A hospital can delete only what it added itself.
//
// # Batches
//
// A transaction carries 64, 128, 256, 512 or 1024 entries ([Bucket]). Dummies fill it up:
// random bytes, which without K_value cannot be told from a label and a value. Entries
// are shuffled, over all records of the call.
//
// # What leaks
//
//   - At rest, to all peers, for ever: how many entries a hospital wrote and when, in
//     buckets, and the certificate that submitted them. Not: terms, equality of terms,
//     records, how many terms a record has below its bucket. Two transactions that
//     collided at commit share a label in the blocks, and so a term. A bucket written for
//     one record alone (index "now") shows a bound on the number of that record's terms,
//     and its time shows which record; a call with many records shows only their sum.
//   - At insert: the writer's own peer answers the gallop, so it sees labels of the same
//     chain asked for before the new ones are written, and can link new entries with
//     earlier ones of the same chain; what one process writes of a term within a while is
//     mostly in one chain. Other hospitals' peers do not.
//   - At search, to the peer that is asked and to no other: the labels of the query
//     (sorted, so neither slot nor counter shows), which of them exist, so that those
//     entries share a query; how many there are; and that a query repeats (search
//     pattern). It sees no terms and no values. What co-occurs how often over many
//     queries is a handle for frequency attacks by someone who knows the distribution of
//     diagnoses; at rest there is none.
//   - Forward privacy, exactly: entries that are written later cannot be linked to a
//     query by any peer that was not asked. The asked peer was also shown labels past the
//     end of each chain (the next three; when nobody knows how long the chain is, or it
//     has grown much, up to 512 and a few far ones), which is how an end is found; it can
//     recognise an entry that later takes one of these. This is the price of chains that
//     many writers extend without shared state. So ask your own hospital's peer only. A
//     new epoch starts all chains anew.
//   - File injection: a member who can make a hospital index documents of their choice
//     still has to see that hospital's peer answer queries to learn which of them
//     matched. Seeing it, they learn that a query touched an entry of the batch in which
//     their document was written, and by repetition with other batches which term it was.
//   - Whoever holds the scope key (all who may search, and whoever unwraps it later) can
//     test any term, and read all of that epoch's postings: record ids, kinds and days.
//     They open no record. The scope is the blast radius.
//   - After revocation: a holder keeps what it had, and can read what is later written in
//     epochs whose key it has. Rolling the scope to a new epoch ends that.
//   - A peer can withhold the end of a chain, which looks like a shorter chain. (One or
//     two entries with others after them cannot be withheld unnoticed: readers ask past
//     the end.) Comparing with a second hospital's peer shows it, at the cost of showing
//     that peer the labels.
package index
