package contract

import (
	"encoding/base64"

	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Authority pins attribute authorities: the address of each key service, and one public
// key for each attribute. Every member of the channel may read them.
type Authority struct {
	contractapi.Contract
	consortium
}

// GetEvaluateTransactions lists the reads for the metadata.
func (*Authority) GetEvaluateTransactions() []string {
	return []string{"List", "Keys", "KeyVersions", "Attributes", "Published"}
}

// Announce sets the address of the key service of the caller's hospital, and its
// custodian. It replaces an earlier announcement.
//
// Errors:
//   - ErrDenied unless the caller is an admin or authority of a hospital.
//   - ErrInvalid if the address or the custodian is malformed, or the signature is not
//     the caller's.
func (c *Authority) Announce(ctx *Context, a ledger.Announcement) error {
	who, err := c.admit(ctx, keepers)
	if err != nil {
		return err
	}
	if err := checkURL(a.URL); err != nil {
		return err
	}
	if err := checkRecipient(a.Custodian); err != nil {
		return err
	}
	if err := checkSignature(who, a.Signature); err != nil {
		return err
	}
	now, err := ctx.time()
	if err != nil {
		return err
	}
	var b batch
	b.put(ledger.AuthorityKey(who.msp), ledger.Authority{MSP: who.msp, URL: a.URL, Custodian: a.Custodian, Time: now, Signature: a.Signature})
	b.own(who.msp)
	b.changeSearchable(ctx)
	return c.write(ctx, &b)
}

// PublishKeys pins public keys of attributes in the caller's namespace: the first
// version, or the one after the current version. A published key, current or past, may be
// published again with a new signature, which replaces the stored one. Publishing the
// current key again unsigned, or with the stored signature, changes nothing, so a client
// may repeat a call of unknown outcome.
//
// Errors:
//   - ErrDenied unless the caller is an admin or authority of a hospital.
//   - ErrDenied if an attribute belongs to another organisation.
//   - ErrDenied if the member would have more than ledger.MaxAttributes.
//   - ErrExists if the version is published with another key, or is past and not signed.
//   - ErrInvalid if a key is malformed or given twice, a version is missing before one,
//     a signature is not the caller's, or there are none or too many.
func (c *Authority) PublishKeys(ctx *Context, keys []ledger.AttributeKey) error {
	who, err := c.admit(ctx, keepers)
	if err != nil {
		return err
	}
	if err := count("attribute keys", len(keys), ledger.MaxKeysPerCall); err != nil {
		return err
	}
	at := make([]string, len(keys))
	seen := make(map[string]bool, len(keys))
	for i, k := range keys {
		if err := checkKey(who, k); err != nil {
			return err
		}
		if seen[k.Name] {
			return refuse(ledger.ErrInvalid, "attribute %s is given twice", k.Name)
		}
		seen[k.Name] = true
		at[i] = ledger.AttributeCurrentKey(k.Name)
	}
	values, err := ctx.many(at)
	if err != nil {
		return err
	}
	var b batch
	fresh := 0
	for i, k := range keys {
		var current ledger.AttributeKey
		if len(values[i]) > 0 {
			if err := decode(values[i], &current); err != nil {
				return err
			}
		}
		switch {
		case k.Version <= current.Version:
			if err := ctx.signAgain(&b, who.msp, current, k); err != nil {
				return err
			}
			continue
		case k.Version != current.Version+1:
			return refuse(ledger.ErrInvalid, "attribute %s is at version %d: the next is not %d", k.Name, current.Version, k.Version)
		}
		if current.Version == 0 {
			fresh++
		}
		b.put(at[i], k)
		b.own(who.msp)
		b.put(ledger.AttributeVersionKey(k.Name, k.Version), k)
		b.own(who.msp)
	}
	if err := ctx.checkQuota(who.msp, fresh); err != nil {
		return err
	}
	return c.write(ctx, &b)
}

// signAgain replaces the signature of a published key.
func (ctx *Context) signAgain(b *batch, owner string, current, k ledger.AttributeKey) error {
	published := current
	at := ledger.AttributeVersionKey(k.Name, k.Version)
	if k.Version < current.Version {
		if _, err := ctx.get(at, &published); err != nil {
			return err
		}
	}
	unsigned := k.Signature == ""
	if k.Key != published.Key || unsigned && k.Version < current.Version {
		return refuse(ledger.ErrExists, "attribute %s is at version %d already", k.Name, current.Version)
	}
	if unsigned || k.Signature == published.Signature {
		return nil
	}
	b.put(at, k)
	b.own(owner)
	if k.Version == current.Version {
		b.put(ledger.AttributeCurrentKey(k.Name), k)
		b.own(owner)
	}
	return nil
}

// checkQuota checks that a member may have so many attributes more. It reads the range of
// the member's own attributes, so two first publications of one authority at once
// conflict, and those of different authorities do not. Rotations do not count.
func (ctx *Context) checkQuota(msp string, fresh int) error {
	if fresh == 0 {
		return nil
	}
	own := ownAttributes(msp)
	iter, err := ctx.GetStub().GetStateByRange(own.start, own.end)
	if err != nil {
		return broken("read a range of the ledger", err)
	}
	defer iter.Close()
	for n := fresh; ; n++ {
		if n > ledger.MaxAttributes {
			return refuse(ledger.ErrDenied, "%s would have more than %d attributes", msp, ledger.MaxAttributes)
		}
		if !iter.HasNext() {
			return nil
		}
		if _, err := iter.Next(); err != nil {
			return broken("read a range of the ledger", err)
		}
	}
}

// ownAttributes is the span of the current attributes of a member.
func ownAttributes(msp string) span {
	start, end := ledger.AttributeRange(msp)
	return span{start, end}
}

func checkKey(who caller, k ledger.AttributeKey) error {
	if err := checkAttribute(k.Name); err != nil {
		return err
	}
	if !owns(who.msp, k.Name) {
		return refuse(ledger.ErrDenied, "attribute %s is not in the namespace of %s", k.Name, who.msp)
	}
	if err := checkVersion("attribute "+k.Name+": version", k.Version); err != nil {
		return err
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(k.Key)
	if err != nil || len(raw) == 0 || len(raw) > ledger.MaxPublicKey || base64.StdEncoding.EncodeToString(raw) != k.Key {
		return refuse(ledger.ErrInvalid, "attribute %s: the key needs 1 to %d bytes in padded base64", k.Name, ledger.MaxPublicKey)
	}
	return checkSignature(who, k.Signature)
}

// checkSignature checks the form of a signature, and that it names the caller's
// certificate. Clients verify it. None is allowed, as earlier releases have none.
func checkSignature(who caller, text string) error {
	if text == "" {
		return nil
	}
	s, err := ledger.ParseSignature(text)
	if err != nil {
		return refuse(ledger.ErrInvalid, "%v", err)
	}
	if s.Certificate != ledger.IDOfCertificate(who.certificate) {
		return refuse(ledger.ErrInvalid, "the signature is not of the certificate of %s", who.actor())
	}
	return nil
}

// List gives every announced authority, in the order of MSP IDs.
func (c *Authority) List(ctx *Context) ([]ledger.Authority, error) {
	return list[ledger.Authority](ctx, ledger.AuthorityPrefix)
}

// Keys gives the current public keys of attributes, in the order of the names. It leaves
// out unpublished ones.
//
// Errors:
//   - ErrInvalid if a name is malformed, or there are none or too many.
func (c *Authority) Keys(ctx *Context, names []string) ([]ledger.AttributeKey, error) {
	if err := count("attributes", len(names), ledger.MaxKeysPerCall); err != nil {
		return nil, err
	}
	at := make([]string, len(names))
	for i, n := range names {
		if err := checkAttribute(n); err != nil {
			return nil, err
		}
		at[i] = ledger.AttributeCurrentKey(n)
	}
	values, err := ctx.many(at)
	if err != nil {
		return nil, err
	}
	return decodeAll[ledger.AttributeKey](values)
}

// KeyVersions gives the public keys of versions, current or past, in the order of the
// request. It leaves out unpublished ones. Past versions verify the user keys that open
// records from before a rotation.
//
// Errors:
//   - ErrInvalid if a name or version is malformed, or there are none or too many.
func (c *Authority) KeyVersions(ctx *Context, versions []ledger.AttributeName) ([]ledger.AttributeKey, error) {
	if err := count("attribute keys", len(versions), ledger.MaxKeysPerCall); err != nil {
		return nil, err
	}
	at := make([]string, len(versions))
	for i, v := range versions {
		if err := checkAttribute(v.Name); err != nil {
			return nil, err
		}
		if err := checkVersion("attribute "+v.Name+": version", v.Version); err != nil {
			return nil, err
		}
		at[i] = ledger.AttributeVersionKey(v.Name, v.Version)
	}
	values, err := ctx.many(at)
	if err != nil {
		return nil, err
	}
	return decodeAll[ledger.AttributeKey](values)
}

// Published gives a page of the published attributes of one authority, in the order of
// names.
//
// Errors:
//   - ErrInvalid if a part of the query is malformed.
func (c *Authority) Published(ctx *Context, q ledger.AttributeQuery) (ledger.AttributePage, error) {
	var none ledger.AttributePage
	if !isWord(q.Authority) {
		return none, refuse(ledger.ErrInvalid, "%.64q is not an MSP ID", q.Authority)
	}
	rows, next, err := ctx.page(ownAttributes(q.Authority), q.PageSize, q.Bookmark, nil)
	if err != nil {
		return none, err
	}
	values := make([][]byte, len(rows))
	for i, kv := range rows {
		values[i] = kv.Value
	}
	names, err := decodeAll[ledger.AttributeName](values)
	return ledger.AttributePage{Attributes: names, Bookmark: next}, err
}

// Attributes gives the names of all published attributes, in order. Published gives those
// of one authority, however many the others have.
//
// Errors:
//   - ErrUnavailable if there are too many for one answer.
func (c *Authority) Attributes(ctx *Context) ([]ledger.AttributeName, error) {
	return list[ledger.AttributeName](ctx, ledger.AttributeCurrentPrefix)
}
