package contract

import (
	"bytes"
	"encoding/base64"
	"slices"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// ageHeader is the beginning of every age file, and so of every wrapped key. Checking it
// keeps a bare key from being stored by mistake.
const ageHeader = "age-encryption.org/v1\n"

// transient gives the values of names in the transient map. Other names are refused,
// since a block would have no trace of them.
func (ctx *Context) transient(names ...string) ([][]byte, error) {
	all, err := ctx.GetStub().GetTransient()
	if err != nil {
		return nil, broken("read the transient map", err)
	}
	found := make([][]byte, len(names))
	for i, name := range names {
		var ok bool
		if found[i], ok = all[name]; !ok || len(all) != len(names) {
			return nil, refuse(ledger.ErrInvalid, "the transient map needs %q and nothing else", names)
		}
	}
	return found, nil
}

// sealed reads records and their wrapped keys from the transient map. The caller must
// have signed each wrapped key.
func (ctx *Context) sealed(who caller) ([]ledger.NewRecord, ledger.Envelopes, error) {
	both, err := ctx.transient(ledger.TransientRecords, ledger.TransientEnvelopes)
	if err != nil {
		return nil, ledger.Envelopes{}, err
	}
	return unpackSealed(who, both)
}

// sealedAgain is sealed with the numbers of the seals.
func (ctx *Context) sealedAgain(who caller) ([]ledger.NewRecord, []ledger.SealNumber, ledger.Envelopes, error) {
	var none ledger.Envelopes
	all, err := ctx.transient(ledger.TransientRecords, ledger.TransientEnvelopes, ledger.TransientSeals)
	if err != nil {
		return nil, nil, none, err
	}
	records, envelopes, err := unpackSealed(who, all)
	if err != nil {
		return nil, nil, none, err
	}
	numbers, err := ledger.UnpackSeals(all[2])
	if err == nil && len(numbers) != len(records) {
		err = ledger.Errorf(ledger.ErrInvalid, "there are %d", len(numbers))
	}
	if err != nil {
		return nil, nil, none, refuse(ledger.ErrInvalid, "the seals of %d versions cannot be read: %v", len(records), err)
	}
	return records, numbers, envelopes, nil
}

func unpackSealed(who caller, both [][]byte) ([]ledger.NewRecord, ledger.Envelopes, error) {
	var none ledger.Envelopes
	if err := count("records", len(both[0])/ledger.PackedRecordSize, ledger.MaxNewRecords); err != nil {
		return nil, none, err
	}
	records, err := ledger.UnpackRecords(both[0])
	if err != nil {
		return nil, none, refuse(ledger.ErrInvalid, "the records cannot be read: %v", err)
	}
	envelopes, err := unpackEnvelopes(both[1], len(records))
	if err != nil {
		return nil, none, err
	}
	for i, r := range records {
		if !signedBy(envelopes, i, who) {
			return nil, none, refuse(ledger.ErrInvalid, "record %s is not signed with the certificate of %s: use a client that signs, of this version or later",
				r.ID, who.actor())
		}
	}
	return records, envelopes, nil
}

// signedBy tells whether the header of a wrapped key has a signature that names the
// caller's certificate. The chaincode cannot verify it, as it covers what only readers
// see. The check keeps an insider's program from passing new records off as ones from
// before there were signatures.
func signedBy(e ledger.Envelopes, i int, who caller) bool {
	whole := e.Begins(i)
	if p := e.Parts[i]; p.Beginning >= 0 {
		whole = slices.Concat(whole, p.Rest)
	}
	header, _, _ := bytes.Cut(whole, []byte("\n--- "))
	id := ledger.IDOfCertificate(who.certificate)
	return bytes.Contains(header, []byte("\n-> "+ledger.SignatureStanza+" "+base64.RawStdEncoding.EncodeToString(id[:])+"\n"))
}

// envelope reads the one wrapped key of a scope from the transient map.
func (ctx *Context) envelope() ([]byte, error) {
	packed, err := ctx.transient(ledger.TransientEnvelopes)
	if err != nil {
		return nil, err
	}
	envelopes, err := unpackEnvelopes(packed[0], 1)
	if err != nil {
		return nil, err
	}
	return envelopes.Value(0), nil
}

// unpackEnvelopes reads n wrapped keys. Errors never quote them.
func unpackEnvelopes(packed []byte, n int) (ledger.Envelopes, error) {
	e, err := ledger.UnpackEnvelopes(packed, n)
	if err != nil {
		return e, refuse(ledger.ErrInvalid, "the wrapped keys cannot be read: %v", err)
	}
	for i := range n {
		if size := e.Size(i); size > ledger.MaxEnvelope {
			return e, refuse(ledger.ErrInvalid, "wrapped key %d has %d bytes, more than %d", i+1, size, ledger.MaxEnvelope)
		}
		if !bytes.HasPrefix(e.Begins(i), []byte(ageHeader)) {
			return e, refuse(ledger.ErrInvalid, "wrapped key %d is not an age file", i+1)
		}
	}
	return e, nil
}

// entries reads index entries from the transient map.
func (ctx *Context) entries() ([][]byte, error) {
	packed, err := ctx.transient(ledger.TransientEntries)
	if err != nil {
		return nil, err
	}
	return split("entries", packed[0], ledger.PackedEntrySize)
}

// split cuts bytes into items of one size. There must be at least one.
func split(what string, raw []byte, size int) ([][]byte, error) {
	if len(raw)%size != 0 {
		return nil, refuse(ledger.ErrInvalid, "the %s do not have %d bytes each", what, size)
	}
	if err := count(what, len(raw)/size, ledger.MaxEntriesPerCall); err != nil {
		return nil, err
	}
	return slices.Collect(slices.Chunk(raw, size)), nil
}
