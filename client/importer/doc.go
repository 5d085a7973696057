// Package importer seals many records at once: a directory tree, or a bulk export with
// one FHIR resource per line. It reads the files in ZIP and tar archives and under gzip
// and bzip2 as if they were files of the tree.
//
// Most callers open a [Journal], read [Rules], and call [Job.Run]. [Job.Plan] shows what
// Run would do, without sealing anything.
//
// # Guarantees
//
// A job can be killed at any moment and run again: it loses no record and seals none
// twice. This rests on the ledger, which registers a record id only once, and not on a
// complete journal. The id of a record is
//
//	HMAC-SHA256(job secret, "chartseal/import/v1" || 0x00 || u64(len key) || key || SHA-256(content))[0:16]
//
// where key is the record's path below the source, and its number in a file of many. The
// same content at the same place has the same id in every run of a job. A job asks the
// ledger which ids are there before it seals. The secret is derived from the person's
// attribute keys ([Secrets]), or random for people without any, so an id reveals neither
// path nor content. The journal keeps the secret, and a mark for each record that is
// done. A mark saves reading the record again. A lost mark, or a lost journal, costs a
// question to the ledger. Because the id depends on the content, index entries that a
// killed run left behind always fit their record, even if the file has changed since.
//
// An item that cannot be sealed (unreadable, changed while it was read, without a rule)
// gets a [Row] with the reason, and the job goes on. A service that stays away ends the
// job, which can be run again.
//
// Memory is bounded. A record is a section of a file and is never held whole. The marks
// of a million lines take about half a megabyte, those of a million files about 50.
//
// A file of the source holds at most 131,072 files of at most 1 GiB each, and 16 GiB in
// all, with the archives in it; up to eight archives and compressions stand in each
// other. No name in an archive is ever a path on disk. A file of more than 1 MiB is
// unpacked to a temporary file without a name, which is gone with the process.
//
// What a container says of confidentiality holds for every record that is taken out of
// it: a bundle, a batch, an archive, a medium of IHE XDM. If it could not be read,
// neither was the record in full, and rules fail closed.
//
// # Shared encryption
//
// A batch has one policy and is registered in one transaction. The client encrypts to a
// policy once per transaction: the envelopes share that encapsulation, which is the
// costly part (see abe.SharedRecipient). Each record still has a record key of its own,
// and an envelope of its own that wraps it. Handing out, resealing, revoking and erasing
// therefore work record by record.
//
// # Limits
//
// Where a bulk export or a bundle to be split is in UTF-16, its records are sealed in
// UTF-8.
//
// A killed run may leave payloads pinned that no record points to, at most those of the
// batches that it was sealing. They are ciphertext whose keys nobody has.
package importer
