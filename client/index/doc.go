// Package index is Chartseal's encrypted keyword index. A hospital's client writes
// entries to the ledger, so that an entitled client elsewhere can find a record by its
// content. The peers store the entries and learn nothing from them at rest. The package
// holds the protocol, the vocabulary of terms and the query language. It reaches the
// ledger through [Store] and does no other input or output.
//
// To write, call [Writer.Put]. Call [Writer.Write] instead when an outbox keeps the
// entries until they are committed. To search, call [ParseQuery], and then
// [Query.Evaluate] over a [Session] of a [Searcher].
//
// # Scheme
//
// The index maps terms to postings. A term is a statement about a record, such as
// "icd10:I21.4". A posting says that a version of a record has a term, or no longer has
// it. An entry is a posting on the ledger: an encrypted value under a pseudorandom label.
//
// A scope has a secret key for each epoch, [ScopeKey]. All other keys are derived from it
// under the suite string "chartseal/index/v2". ("||" joins bytes. Integers are big
// endian; u16 has 2 bytes, u64 has 8.)
//
//	K_w      = HMAC-SHA256(scope key, suite || "/term" || 0x00 || term)
//	K_label  = HKDF-Expand-SHA256(K_w, suite || "/label", 32)
//	K_value  = HKDF-Expand-SHA256(K_w, suite || "/value", 64)
//	K_hint   = HKDF-Expand-SHA256(K_w, suite || "/hint", 32)
//
// K_hint names a chain in the local cache. It is never used for the ledger.
//
// # Labels
//
//	label = HMAC-SHA256(K_label, u16(len MSP) || MSP || u16(slot) || u64(counter))[0:16]
//
// The entries of one term and one hospital (MSP) form [Slots] chains, one for each slot.
// The counters of a chain start at 0 and have no holes: a writer uses counter n only
// after it has seen n-1 committed. So a reader finds the end of a chain by galloping, and
// a hole proves that the peer withholds an entry.
//
// The key of an entry on the ledger is a hash of MSP and label. The chaincode writes each
// key once, and only under the caller's own MSP. As the label covers the MSP, no hospital
// can show another's entry as its own.
//
// # Values
//
//	value = AES-SIV(K_value, posting, associated data = label)
//
// AES-SIV is that of RFC 5297. A value has 16 bytes of synthetic IV and 32 of ciphertext.
//
// AES-SIV is deterministic. Its IV depends on the whole posting and the label. So two
// different postings under one label give unrelated values, and the same posting gives
// the same value. Both cases occur: a transaction that fails at commit stays in its
// block, and the next attempt may put another posting under that label. A nonce derived
// from the label alone would then encrypt both postings with one key stream.
//
// # The 32 bytes of a posting
//
//	 0   5  highest 4 of 40 bits: layout, 2; then 18 bits for the first clinical day of
//	        the record and 18 for the last: days since 1970-01-01 plus 2^17, 0 for none
//	 5   2  higher 2 of 16 bits: operation, 1 add or 2 delete; then 14 bits for the
//	        version of the record, from 1
//	 7  16  record id
//	23   4  time of the posting: seconds since 1970-01-01
//	27   5  kind of the record
//
// The kind is one to five bytes of UTF-8 with zeros after it, or a form, one byte below
// 0x20, and an argument of four bytes:
//
//	0     no kind; the argument is 0
//	1     the number, from 1, of a name in a table: "fhir:" and a resource type, or
//	      "dicom:" and a long modality
//	2     "hl7v2:", message, "^" and event, each up to three capital letters and digits:
//	      six digits of a number to the base 37, where 0 stands for nothing, 1 for A and
//	      27 for 0; without an event there is no "^"
//	3     "dicom:" and up to six such letters and digits
//	4     the first four bytes of a kind that does not fit, cut at a character
//	5-7   the same after "fhir:", "hl7v2:" and "dicom:"
//	8-31  not assigned
//
// A kind that was cut is shown with "…" at its end ([ClipKind]). A query for a kind is
// still exact: it reads the term of the kind where the posting does not decide.
//
// Later versions add names to the table of form 1, and forms from 8 on. They do not
// change what is assigned. A version that does not know a name or a form shows the five
// bytes in hexadecimal, "#0100000109…", and treats the kind as one that was cut.
//
// Add and delete commute. A delete of version v hides that hospital's adds of the record
// up to version v, in whatever order they are read. A hospital can delete only its own
// adds. A posting that is there twice counts once.
//
// # Batches
//
// A transaction carries 64, 128, 256, 512 or 1024 entries ([Bucket]). Dummies fill it up:
// random bytes, which without K_value cannot be told from a label and a value. The
// entries of all records in one call are shuffled together.
//
// # What leaks
//
// At rest, every peer sees for ever: how many entries a hospital wrote and when, rounded
// up to buckets, and the certificate that submitted them. Peers do not see terms, whether
// two entries have the same term, records, or how many terms a record has below its
// bucket. Two exceptions:
//
//   - Two transactions that collided at commit share a label in the blocks, and so a
//     term.
//   - A bucket written for one record alone (index "now") bounds the number of that
//     record's terms, and its time tells which record. A call with many records shows
//     only their sum.
//
// At insert, the writer's own peer answers the gallop. It sees requests for labels of a
// chain before the new ones are written. So it can link new entries with earlier ones of
// the same chain. One process writes a term mostly to one chain for a while. Peers of
// other hospitals see none of this.
//
// At search, the peer that is asked sees: the labels of the query, sorted, so that
// neither slot nor counter shows; which of them exist, so that those entries share a
// query; their number; and that a query repeats (search pattern). It sees no terms and no
// values. Over many queries, co-occurrence helps a frequency attack by a peer that knows
// the distribution of diagnoses. Other peers see nothing.
//
// Forward privacy: a peer that was not asked cannot link later entries to a query. The
// peer that was asked also saw labels past the end of each chain, because that is how a
// reader finds the end: the next three, or up to 512 and a few far ones for a chain of
// unknown length or much growth. It recognises entries that later take one of these
// labels. This is the price of chains that many writers extend without shared state. So
// ask only your own hospital's peer. A new epoch starts all chains anew.
//
// File injection: a member can make a hospital index chosen documents. To learn which of
// them matched, the member must also see that hospital's peer answer queries. Then a
// query shows that it touched the batch of such a document, and repetition with other
// batches shows the term.
//
// Scope keys: a holder (everyone who may search, and whoever unwraps the key later) can
// test any term, and can read all postings of that epoch: record ids, kinds and days. The
// key opens no record. The scope is the blast radius.
//
// After revocation, a holder keeps the postings that it read, and can read later entries
// of the epochs whose keys it has. A new epoch of the scope ends that.
//
// # What a reader cannot detect
//
// A peer can withhold the end of a chain, which looks like a shorter chain. It cannot
// withhold one or two entries with others after them: readers ask past the end. A
// [Comparison] with a second hospital's peer shows a withheld end, and shows that peer
// the labels of the query.
package index
