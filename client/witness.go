package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// What a record is sealed to comes from the ledger, and a client reads the ledger through
// one peer. A peer that lies could give it public keys, or a custodian, of its own and
// then read what is sealed. So what this client has not believed before is confirmed by
// the peer of another organisation, a witness, and remembered: from then on one peer is
// enough.

// witnessPatience is how long a witness may be behind.
const witnessPatience = 3 * time.Second

// confirm asks the witnesses one after the other, until one answers, whether it says the
// same. It fails with ErrTampered when one says something else, and with ErrUnavailable
// when none answers. A client without witnesses believes its own peer.
func (c *Client) confirm(ctx context.Context, what string, same func(ctx context.Context, witness Ledger) (bool, error)) error {
	var unavailable error
	for _, w := range c.witnesses {
		agreed, err := c.ask(ctx, w, same)
		switch {
		case errors.Is(err, ErrUnavailable):
			unavailable = err
			continue
		case err != nil:
			return fmt.Errorf("confirm %s: %w", what, err)
		case !agreed:
			return ledger.Errorf(ErrTampered, "your own peer and that of another organisation do not say the same of %s", what)
		}
		return nil
	}
	if unavailable != nil {
		return fmt.Errorf("no other organisation's peer could confirm %s: %w", what, unavailable)
	}
	return nil
}

// ask gives a witness that is a few blocks behind the time to catch up: it does not know
// the key yet, or denies the caller what an access entry allows. One that still denies it
// then is no witness in this.
func (c *Client) ask(ctx context.Context, w Ledger, same func(context.Context, Ledger) (bool, error)) (bool, error) {
	for deadline := time.Now().Add(witnessPatience); ; {
		agreed, err := same(ctx, w)
		behind := errors.Is(err, ErrNotFound) || errors.Is(err, ErrDenied) || err == nil && !agreed
		switch {
		case behind && time.Now().Before(deadline):
		case errors.Is(err, ErrNotFound):
			return false, nil
		case errors.Is(err, ErrDenied):
			return false, &markedError{err, ErrUnavailable}
		default:
			return agreed, err
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// confirmKeys has public keys that were not seen before confirmed.
func (c *Client) confirmKeys(ctx context.Context, keys []ledger.AttributeKey) error {
	if len(keys) == 0 {
		return nil
	}
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.Name
	}
	return c.confirm(ctx, fmt.Sprintf("the public keys of %v", names), func(ctx context.Context, w Ledger) (bool, error) {
		theirs, err := w.AttributeKeys(ctx, names)
		if err != nil || len(theirs) != len(keys) {
			return false, err
		}
		for i := range keys {
			if theirs[i] != keys[i] {
				return false, nil
			}
		}
		return true, nil
	})
}

// custodianItem remembers the custodian of the own hospital that was believed last.
const custodianItem = "custodian"

// custodian is the age recipient of the own hospital's records custodian, empty if there
// is none.
func (c *Client) custodian(ctx context.Context) (string, error) {
	recipient, err := custodianOf(ctx, c.ledger, c.ledger.MSP())
	if err != nil {
		return "", err
	}
	known, err := c.memory.Load(custodianItem)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return "", err
	}
	if err == nil && string(known) == recipient {
		return recipient, nil
	}
	err = c.confirm(ctx, "the records custodian of "+c.ledger.MSP(), func(ctx context.Context, w Ledger) (bool, error) {
		theirs, err := custodianOf(ctx, w, c.ledger.MSP())
		return theirs == recipient, err
	})
	if err != nil {
		return "", err
	}
	return recipient, c.memory.Store(custodianItem, []byte(recipient))
}

func custodianOf(ctx context.Context, l Ledger, msp string) (string, error) {
	all, err := l.Authorities(ctx)
	if err != nil {
		return "", err
	}
	for _, a := range all {
		if a.MSP == msp {
			return a.Custodian, nil
		}
	}
	return "", nil
}
