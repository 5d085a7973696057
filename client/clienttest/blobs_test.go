package clienttest

import "testing"

func TestMemoryBlobs(t *testing.T) {
	m := &MemoryBlobs{}
	Blobs(t, BlobsEnv{Blobs: m, Pinned: m.Pinned, Corrupt: m.Corrupt})
}

func TestWorld(t *testing.T) {
	w := &World{}
	Ledger(t, LedgerEnv{
		Doctor:    w.As("HospitalA", "doctor", "doctor"),
		Other:     w.As("HospitalB", "doctor", "doctor"),
		Custodian: w.As("HospitalA", "custodian", "custodian"),
		Authority: w.As("HospitalA", "authority", "authority"),
		Auditor:   w.As("Regulator", "auditor", "auditor"),
		PublicKey: func(name string, version int) []byte { return []byte(name) },
	})
}
