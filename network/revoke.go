package network

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/chartseal/chartseal/network/fabricca"
)

// Revoke ends a person's certificates. The organisation's CA revokes them, and its new
// revocation list goes into the channel's configuration, where every peer, orderer and
// attribute authority reads it. When Revoke returns, every running peer has the block
// with that configuration, and the proxy of the hospital's IPFS node serves the person no
// more.
//
// Errors:
//   - ErrNotFound if there is no such organisation.
//   - fabricca.ErrNotFound if its CA knows no such person.
//   - fabricca.ErrUnavailable if its CA does not answer.
//   - ErrUnavailable if another command works on the network. With a new secret at the
//     same time, the CA would write the identity back as it was before it was revoked.
func (n *Network) Revoke(ctx context.Context, org, user string) error {
	if err := n.checkOrganisation(org); err != nil {
		return err
	}
	return n.exclusively(func() error { return n.revoke(ctx, org, user) })
}

func (n *Network) revoke(ctx context.Context, org, user string) error {
	ca, registrar, err := n.asRegistrar(ctx, org)
	if err != nil {
		return err
	}
	list, err := revokedList(ctx, ca, registrar, user)
	if err != nil {
		return err
	}
	if err := writeFile(n.revokedPeople(org), list); err != nil {
		return err
	}
	for _, o := range n.topology.Organisations() {
		if _, found := o.Users[user]; found && o.Name == org {
			if err := writeFile(n.refused(org, user), nil); err != nil {
				return err
			}
		}
	}
	// Requests to a peer itself, outside the channel, are checked against its own MSP,
	// which it reads when it starts.
	for _, node := range []string{"peer", "orderer"} {
		if err := writeFile(n.org(org, node, "msp", "crls", "crl.pem"), list); err != nil {
			return err
		}
	}
	err = n.updateChannel(ctx, []string{org}, func(config object) error {
		for _, group := range []string{"Application", "Orderer"} { // every organisation is in both
			msp, err := dig(config, "channel_group", "groups", group, "groups", org, "values", "MSP", "value", "config")
			if err != nil {
				return err
			}
			msp["revocation_list"] = []string{base64.StdEncoding.EncodeToString(list)} // the CA's list has every certificate that it revoked
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("publish the revocation list of %s: %w", org, err)
	}
	return nil
}

// revokedList revokes all certificates of an identity and returns the CA's revocation
// list, in PEM. The list is a request of its own: the CA adds none to its answer when all
// certificates were revoked before, and perhaps that earlier list never reached the
// channel.
func revokedList(ctx context.Context, ca *fabricca.Client, registrar fabricca.Identity, id string) ([]byte, error) {
	if err := ca.Revoke(ctx, registrar, enrolmentCA, id); err != nil {
		return nil, fmt.Errorf("revoke %s: %w", id, err)
	}
	list, err := ca.RevocationList(ctx, registrar, enrolmentCA)
	if err != nil {
		return nil, fmt.Errorf("list the revoked certificates: %w", err)
	}
	return list, nil
}
