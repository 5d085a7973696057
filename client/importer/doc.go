// Package importer seals many records at once: a directory tree, or a bulk export with
// one FHIR resource a line.
//
// Most callers open a [Journal], read [Rules], and call [Job.Run]; [Job.Plan] says what
// each record would get without sealing it.
//
// # What it guarantees
//
// A job can be killed at any moment and run again: nothing is lost and nothing is sealed
// twice. It rests on the ledger, which registers a record id once, and not on the journal
// being complete. The id of a record is
//
//	HMAC-SHA256(job secret, "chartseal/import/v1" || 0x00 || u64(len key) || key || SHA-256(content))[0:16]
//
// where key is the record's path below what is imported, and its part in a file of many.
// So the same content at the same place has the same id in every run of the job, and a
// resumed job asks the ledger which ids are there before it seals. The secret is random,
// so an id tells nothing about a path or a content. The journal keeps the secret, and
// marks of what is done that save reading it again; a mark that was not written costs a
// question to the ledger. As the content is in the id, the index entries that a killed
// run left behind always fit the record, also when the file changed in between.
//
// What cannot be sealed (unreadable, changed while it was read, without a rule) becomes a
// [Row] with a reason, and the rest goes on. What stands in the way of all (a service
// that stays away) ends the job, to be run again.
//
// Memory is bounded: a record is a section of a file and is never held whole, and the
// marks of a million done lines take about half a megabyte, those of a million done files
// about 50.
//
// # What it does not
//
// A run that was killed may leave payloads pinned that no record points to, at most those
// of the batches in flight. They are ciphertext that nobody has a key for.
//
// Each record has its own record key, wrapped for itself, and the costly part, encryption
// to the policy, is not shared between records. To wrap one key for many would make them
// one record for everything that is done with keys: handing out, resealing, revoking,
// erasing, a patient's share. Reusing the randomness of one encryption for several keys
// would let whoever opens one open all. What is soundly shared is public: the policy is
// compiled once a batch, and package abe keeps tables of powers of the public keys, which
// make an encryption 0.3 ms an attribute instead of 0.6 (see docs/bench-abe.md), so that
// it is no longer what an import waits for.
package importer
