package client

import (
	"context"
	"fmt"
	"time"

	"github.com/chartseal/chartseal/client/envelope"
	"github.com/chartseal/chartseal/client/index"
	"github.com/chartseal/chartseal/client/register"
	"github.com/chartseal/chartseal/client/trust"
)

// CreateScope makes a search domain, whose key the caller signs. Whoever satisfies the
// policy can unwrap the key, and so search and index in it. It returns the policy's
// canonical form.
//
// Errors:
//   - ErrInvalid if the policy cannot be read.
//   - ErrNotFound if nobody has published one of its attributes.
//   - ErrExists if the name is taken.
func (c *Client) CreateScope(ctx context.Context, name, policyText string) (string, error) {
	data, canonical, err := c.newScopeKey(ctx, name, 1, policyText)
	if err != nil {
		return "", fmt.Errorf("create scope %s: %w", name, err)
	}
	if err := c.ledger.CreateScope(ctx, name, data); err != nil {
		return "", fmt.Errorf("create scope %s: %w", name, err)
	}
	return canonical, nil
}

// RollScope starts the next epoch of a scope with a new key under the policy. Earlier
// entries stay searchable for everybody who could search them; later ones are not
// searchable for people who satisfy only the old policy.
//
// Errors:
//   - ErrInvalid if the policy cannot be read.
//   - ErrNotFound if there is no such scope, or nobody has published one of the
//     attributes.
func (c *Client) RollScope(ctx context.Context, name, policyText string) (epoch int, canonical string, err error) {
	s, err := c.scopes.Scope(ctx, name)
	if err != nil {
		return 0, "", err
	}
	epoch = s.Epoch + 1
	data, canonical, err := c.newScopeKey(ctx, name, epoch, policyText)
	if err == nil {
		err = c.ledger.RollScope(ctx, name, epoch, data)
	}
	if err != nil {
		return 0, "", fmt.Errorf("roll scope %s: %w", name, err)
	}
	c.scopes.Recent.Forget(name)
	return epoch, canonical, nil
}

// newScopeKey wraps a new key, which the caller signs.
func (c *Client) newScopeKey(ctx context.Context, name string, epoch int, policyText string) (data []byte, canonical string, err error) {
	to, err := register.NewAudience(ctx, c.trust, policyText)
	if err != nil {
		return nil, "", err
	}
	if err := c.author.Prepare(ctx); err != nil {
		return nil, "", err
	}
	key := index.NewScopeKey()
	draft, err := envelope.ScopeKey{
		Scope: name, Epoch: epoch, Key: key[:], Policy: to.Policy, Author: c.ledger.Actor(), Created: time.Now().UTC(),
	}.Draft()
	if err != nil {
		return nil, "", err
	}
	signature, err := c.author.Signer.Sign(trust.ScopeKeyStatement(c.ledger.Channel(), name, epoch, draft.Digest(), to.Policy))
	if err != nil {
		return nil, "", err
	}
	data, err = draft.Seal(append(to.Recipients(to.ABE), envelope.Signed(signature))...)
	return data, to.Policy, err
}
