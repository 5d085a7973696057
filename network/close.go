package network

import (
	"context"
	"encoding/json"
)

// close brings a network that an earlier release made to today's settings. There,
// Fabric's own services handed wrapped keys to every person of a hospital without an
// access entry: the stream of blocks with private data, and gossip. It may be repeated
// after an interruption.
func (u *bringUp) close(ctx context.Context) error {
	all := u.organisations()
	err := u.updateChannel(ctx, all, func(config object) error {
		values, err := dig(config, "channel_group", "groups", "Application", "values")
		if err != nil {
			return err
		}
		acls := object{}
		for resource, policy := range blockACLs {
			acls[resource] = object{"policy_ref": policy}
		}
		if values["ACLs"] != nil {
			return nil
		}
		values["ACLs"] = object{"mod_policy": "Admins", "version": "0", "value": object{"acls": acls}}
		return nil
	})
	if err != nil {
		return err
	}
	committed, err := u.committedDefinition(ctx)
	if err != nil {
		return err
	}
	if committed.open() {
		if err := u.writeDefinition(); err != nil {
			return err
		}
		if err := u.define(committed.Sequence + 1)(ctx); err != nil {
			return err
		}
	}
	u.state.Closed = true
	return u.state.write(u.dir)
}

// A definition is the part of the chaincode's definition that close looks at, as the peer
// command prints it.
type definition struct {
	Sequence    int `json:"sequence"`
	Collections struct {
		Config []struct {
			Payload struct {
				StaticCollectionConfig struct {
					MemberOnlyRead bool `json:"member_only_read"`
				}
			}
		} `json:"config"`
	} `json:"collections"`
}

// open reports whether the collection is that of an earlier release, which covers people.
func (d definition) open() bool {
	for _, c := range d.Collections.Config {
		if c.Payload.StaticCollectionConfig.MemberOnlyRead {
			return true
		}
	}
	return false
}

// committedDefinition reads the chaincode's definition on the channel.
func (n *Network) committedDefinition(ctx context.Context) (d definition, err error) {
	out, err := n.peerCommand(ctx, n.topology.Hospitals[0].Name, "lifecycle", "chaincode", "querycommitted",
		"--channelID", n.topology.Channel, "--name", n.topology.Chaincode, "--output", "json")
	if err != nil {
		return d, err
	}
	return d, json.Unmarshal(out, &d)
}
