package network

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// updateChannel has the channel's newest configuration edited, and submits the
// difference, signed by an administrator of each signer. It returns when every running
// peer has the new configuration. What an edit does twice is what it does once, for it
// may be made again; one that changes nothing submits nothing.
//
// The leader has an update ordered at once. A follower forwards it, and complains about
// the leader if it misses the block, for the first messages to an orderer that was
// restarted are lost. Then it waits alone for a change of the view, and forwards nothing.
// So another try goes to another orderer, until there were as many refusals as orderers.
//
// Errors:
//   - ErrUnavailable if the update is not ordered in time.
func (n *Network) updateChannel(ctx context.Context, signers []string, edit func(config object) error) error {
	u, err := n.newConfigUpdate(ctx)
	if err != nil {
		return err
	}
	defer os.RemoveAll(u.dir)
	return u.apply(ctx, signers, edit)
}

// channelConfig reads the channel's configuration.
func (n *Network) channelConfig(ctx context.Context) (object, error) {
	u, err := n.newConfigUpdate(ctx)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(u.dir)
	config, _, err := u.config(ctx, u.orderers[0])
	return config, err
}

// A configUpdate changes the channel's configuration with Fabric's own programs. Its
// files are in dir. It asks the orderers of organisations in the order given.
type configUpdate struct {
	*Network
	dir      string
	orderers []string
}

func (n *Network) newConfigUpdate(ctx context.Context) (*configUpdate, error) {
	dir, err := os.MkdirTemp(n.path("channel"), "update-")
	return &configUpdate{n, dir, n.leaderFirst(ctx)}, err
}

func (u *configUpdate) apply(ctx context.Context, signers []string, edit func(config object) error) error {
	ctx, cancel := u.withinWait(ctx)
	defer cancel()
	var tried error // why the last try failed
	refusals := 0
	for submitted := false; ; submitted = true {
		number, changed, err := u.prepare(ctx, signers, edit)
		switch {
		case err != nil && tried != nil:
			return fmt.Errorf("%w; before that: %w", err, tried)
		case err != nil:
			return err
		case !changed && submitted:
			return u.awaitPeers(ctx, number)
		case !changed:
			return nil
		}
		err = u.order(ctx, signers[0], number)
		if err == nil {
			continue
		}
		if refused(err) {
			refusals++
		}
		if refusals == len(u.orderers) {
			return err
		}
		if ctx.Err() == nil {
			tried = err
		}
		u.orderers = append(u.orderers[1:], u.orderers[0])
	}
}

// prepare writes the signed update to the file envelope, unless the edit changes nothing
// in the configuration, which is that of the block with the number.
func (u *configUpdate) prepare(ctx context.Context, signers []string, edit func(config object) error) (number uint64, changed bool, err error) {
	var config object
	err = u.retry(ctx, "read the channel's configuration", func(ctx context.Context) (err error) {
		config, number, err = u.config(ctx, signers[0])
		return err
	})
	if err != nil {
		return 0, false, err
	}
	before, err := u.encode(ctx, "common.Config", "before", config)
	if err != nil {
		return 0, false, err
	}
	if err := edit(config); err != nil {
		return 0, false, err
	}
	after, err := u.encode(ctx, "common.Config", "after", config)
	if err != nil || bytes.Equal(before, after) {
		return number, false, err
	}
	channel := u.topology.Channel
	if err := u.translate(ctx, "compute_update", "--channel_id", channel, "--original", u.file("before"),
		"--updated", u.file("after"), "--output", u.file("update")); err != nil {
		return 0, false, err
	}
	update, err := u.decode(ctx, "common.ConfigUpdate", "update")
	if err != nil {
		return 0, false, err
	}
	const configUpdateType = 2 // common.HeaderType_CONFIG_UPDATE
	_, err = u.encode(ctx, "common.Envelope", "envelope", object{"payload": object{
		"header": object{"channel_header": object{"channel_id": channel, "type": configUpdateType}},
		"data":   object{"config_update": update},
	}})
	if err != nil {
		return 0, false, err
	}
	for _, other := range signers[1:] {
		if _, err := u.peerCommand(ctx, other, "channel", "signconfigtx", "-f", u.file("envelope")); err != nil {
			return 0, false, err
		}
	}
	return number, true, nil
}

// order submits the update to the first orderer, and waits until there is a newer
// configuration than that of the block with the number.
func (u *configUpdate) order(ctx context.Context, org string, before uint64) error {
	args := append([]string{"channel", "update", "-c", u.topology.Channel, "-f", u.file("envelope")}, u.ordererFlagsAt(org, u.orderers[0])...)
	if _, err := u.peerCommand(ctx, org, args...); err != nil {
		return err
	}
	limit := u.waitTimeout() / 4
	ctx, cancel := context.WithTimeoutCause(ctx, limit, waitError{limit})
	defer cancel()
	return u.retry(ctx, "wait for the new configuration", func(ctx context.Context) error {
		_, number, err := u.fetch(ctx, org)
		if err == nil && number <= before {
			err = fmt.Errorf("the newest is still that of block %d", number)
		}
		return err
	})
}

// refused tells whether an orderer understood an update and did not accept it.
func refused(err error) bool {
	return strings.Contains(err.Error(), "status: BAD_REQUEST") || strings.Contains(err.Error(), "status: FORBIDDEN")
}

// awaitPeers waits until every running peer has the block with the number.
func (u *configUpdate) awaitPeers(ctx context.Context, number uint64) error {
	for _, member := range u.organisations() {
		p := u.peerProcess(member)
		if u.pid(p) == 0 {
			continue // it reads the block before it serves
		}
		err := u.retry(ctx, "wait for the blocks of "+member+"/peer", func(ctx context.Context) error {
			h, err := p.height(ctx)
			if err == nil && h <= number {
				err = fmt.Errorf("at %d of %d", h, number+1)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// config reads the newest configuration, and the number of its block.
func (u *configUpdate) config(ctx context.Context, org string) (config object, number uint64, err error) {
	block, number, err := u.fetch(ctx, org)
	if err != nil {
		return nil, 0, err
	}
	envelopes, _ := block["data"].(object)["data"].([]any)
	if len(envelopes) != 1 {
		return nil, 0, fmt.Errorf("configuration block with %d envelopes", len(envelopes))
	}
	config, err = dig(envelopes[0], "payload", "data", "config")
	return config, number, err
}

// fetch reads the newest configuration block from the first orderer that answers in time.
// One that is wedged takes the connection and says nothing.
func (u *configUpdate) fetch(ctx context.Context, org string) (block object, number uint64, err error) {
	for _, at := range u.orderers {
		if err = u.fetchFrom(ctx, org, at); err == nil || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return nil, 0, err
	}
	if block, err = u.decode(ctx, "common.Block", "block"); err != nil {
		return nil, 0, err
	}
	header, err := dig(block, "header")
	if err != nil {
		return nil, 0, err
	}
	number, err = strconv.ParseUint(fmt.Sprint(header["number"]), 10, 64)
	return block, number, err
}

func (u *configUpdate) fetchFrom(ctx context.Context, org, at string) error {
	ctx, cancel := context.WithTimeout(ctx, 4*u.probeTimeout())
	defer cancel()
	args := append([]string{"channel", "fetch", "config", u.file("block"), "-c", u.topology.Channel}, u.ordererFlagsAt(org, at)...)
	_, err := u.peerCommand(ctx, org, args...)
	return err
}

func (u *configUpdate) file(name string) string { return filepath.Join(u.dir, name) }

// decode reads a message of the given type as JSON.
func (u *configUpdate) decode(ctx context.Context, kind, name string) (object, error) {
	text := u.file(name + ".json")
	if err := u.translate(ctx, "proto_decode", "--type", kind, "--input", u.file(name), "--output", text); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(text)
	if err != nil {
		return nil, err
	}
	var message object
	return message, json.Unmarshal(data, &message)
}

// encode writes a message of the given type, of which it returns the JSON.
func (u *configUpdate) encode(ctx context.Context, kind, name string, message object) ([]byte, error) {
	data, err := json.Marshal(message)
	if err != nil {
		return nil, err
	}
	text := u.file(name + ".json")
	if err := writeFile(text, data); err != nil {
		return nil, err
	}
	return data, u.translate(ctx, "proto_encode", "--type", kind, "--input", text, "--output", u.file(name))
}

func (u *configUpdate) translate(ctx context.Context, args ...string) error {
	_, err := u.run(ctx, exec.CommandContext(ctx, filepath.Join(u.state.Servers.Fabric, "configtxlator"), args...))
	return err
}

// dig walks down a tree of objects.
func dig(tree any, path ...string) (object, error) {
	for i, step := range path {
		branch, ok := tree.(object)
		if !ok || branch[step] == nil {
			return nil, fmt.Errorf("the channel's configuration has no %v", path[:i+1])
		}
		tree = branch[step]
	}
	found, ok := tree.(object)
	if !ok {
		return nil, fmt.Errorf("the channel's configuration has something else at %v", path)
	}
	return found, nil
}
