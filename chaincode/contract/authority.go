package contract

import (
	"encoding/base64"

	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// Authority pins the attribute authorities: where each serves keys, and one public key
// for each attribute. Its reads are open to every member of the channel.
type Authority struct {
	contractapi.Contract
	consortium
}

// GetEvaluateTransactions names the reads, for the metadata.
func (*Authority) GetEvaluateTransactions() []string {
	return []string{"List", "Keys", "KeyVersions", "Attributes"}
}

// Announce says where the caller's hospital serves attribute keys, and who its custodian
// is. It replaces what was announced before. Errors: ErrDenied unless the caller is an
// admin or authority of a hospital, ErrInvalid.
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
	now, err := ctx.time()
	if err != nil {
		return err
	}
	var b batch
	b.put(ledger.AuthorityKey(who.msp), ledger.Authority{MSP: who.msp, URL: a.URL, Custodian: a.Custodian, Time: now})
	b.changeSearchable(ctx)
	return ctx.write(&b)
}

// PublishKeys pins public keys of attributes in the caller's own namespace: a first
// version, or the one after the current. Publishing the current version again with the
// same key changes nothing, so that a client may repeat a call whose outcome it does not
// know. All keys are published, or none.
//
// Errors: ErrDenied for an attribute of another organisation, or unless the caller is an
// admin or authority of a hospital; ErrExists when the version has another key or is
// past; ErrInvalid.
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
	for i, k := range keys {
		var current ledger.AttributeKey
		if len(values[i]) > 0 {
			if err := decode(values[i], &current); err != nil {
				return err
			}
		}
		switch {
		case k == current:
			continue
		case k.Version <= current.Version:
			return refuse(ledger.ErrExists, "attribute %s is at version %d already", k.Name, current.Version)
		case k.Version != current.Version+1:
			return refuse(ledger.ErrInvalid, "attribute %s is at version %d: the next is not %d", k.Name, current.Version, k.Version)
		}
		b.put(at[i], k)
		b.put(ledger.AttributeVersionKey(k.Name, k.Version), k)
	}
	return ctx.write(&b)
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
	return nil
}

// List gives every announced authority, in the order of MSP IDs.
func (c *Authority) List(ctx *Context) ([]ledger.Authority, error) {
	return list[ledger.Authority](ctx, ledger.AuthorityPrefix)
}

// Keys gives the current public keys of the named attributes, in the order of the names,
// leaving out those that are not published.
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

// KeyVersions gives the public keys of versions, current or past, in the order asked,
// leaving out those that are not published. Past ones are what holders check the keys
// against that open what was sealed before a rotation.
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

// Attributes gives the names of all published attributes, in order.
func (c *Authority) Attributes(ctx *Context) ([]ledger.AttributeName, error) {
	return list[ledger.AttributeName](ctx, ledger.AttributeCurrentPrefix)
}
