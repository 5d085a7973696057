package network

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// updateChannel fetches the channel's configuration, has it edited, and submits the
// difference, signed by an administrator of each signer. It returns when every running
// peer has the new configuration.
func (n *Network) updateChannel(ctx context.Context, signers []string, edit func(config object) error) error {
	return n.updateChannelAt(ctx, n.leaderFirst(ctx)[0], signers, edit)
}

// updateChannelAt is updateChannel at the orderer of a given organisation.
func (n *Network) updateChannelAt(ctx context.Context, at string, signers []string, edit func(config object) error) error {
	dir, err := os.MkdirTemp(n.path("channel"), "update-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return configUpdate{Network: n, dir: dir, at: at}.apply(ctx, signers, edit)
}

// channelConfig reads the channel's configuration.
func (n *Network) channelConfig(ctx context.Context) (object, error) {
	dir, err := os.MkdirTemp(n.path("channel"), "update-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	at := n.leaderFirst(ctx)[0]
	config, _, err := configUpdate{Network: n, dir: dir, at: at}.config(ctx, at)
	return config, err
}

// errUnchanged is what an edit returns if the configuration needs no change.
var errUnchanged = errors.New("the configuration is as wanted")

// A configUpdate changes the channel's configuration with Fabric's own programs. Its
// files are in dir, and it is sent to the orderer of at.
type configUpdate struct {
	*Network
	dir, at string
}

func (u configUpdate) apply(ctx context.Context, signers []string, edit func(config object) error) error {
	channel, org := u.topology.Channel, signers[0]
	config, number, err := u.config(ctx, org)
	if err != nil {
		return err
	}
	if err := u.encode(ctx, "common.Config", "before", config); err != nil {
		return err
	}
	if err := edit(config); errors.Is(err, errUnchanged) {
		return nil
	} else if err != nil {
		return err
	}
	if err := u.encode(ctx, "common.Config", "after", config); err != nil {
		return err
	}
	if err := u.translate(ctx, "compute_update", "--channel_id", channel, "--original", u.file("before"),
		"--updated", u.file("after"), "--output", u.file("update")); err != nil {
		return err
	}
	update, err := u.decode(ctx, "common.ConfigUpdate", "update")
	if err != nil {
		return err
	}
	const configUpdateType = 2 // common.HeaderType_CONFIG_UPDATE
	err = u.encode(ctx, "common.Envelope", "envelope", object{"payload": object{
		"header": object{"channel_header": object{"channel_id": channel, "type": configUpdateType}},
		"data":   object{"config_update": update},
	}})
	if err != nil {
		return err
	}
	for _, other := range signers[1:] {
		if _, err := u.peerCommand(ctx, other, "channel", "signconfigtx", "-f", u.file("envelope")); err != nil {
			return err
		}
	}
	args := append([]string{"channel", "update", "-c", channel, "-f", u.file("envelope")}, u.ordererFlagsAt(org, u.at)...)
	if _, err = u.peerCommand(ctx, org, args...); err != nil {
		return err
	}
	return u.await(ctx, org, number)
}

// config reads the newest configuration, and the number of its block.
func (u configUpdate) config(ctx context.Context, org string) (config object, number uint64, err error) {
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

// fetch reads the newest configuration block from the orderer of at, or else from the
// first that answers in time. One that is wedged takes the connection and says nothing.
func (u configUpdate) fetch(ctx context.Context, org string) (block object, number uint64, err error) {
	for _, at := range append([]string{u.at}, u.organisations()...) {
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

func (u configUpdate) fetchFrom(ctx context.Context, org, at string) error {
	ctx, cancel := context.WithTimeout(ctx, 4*u.probeTimeout())
	defer cancel()
	args := append([]string{"channel", "fetch", "config", u.file("block"), "-c", u.topology.Channel}, u.ordererFlagsAt(org, at)...)
	_, err := u.peerCommand(ctx, org, args...)
	return err
}

// await waits until there is a configuration block after the given one, and every running
// peer has it.
func (u configUpdate) await(ctx context.Context, org string, before uint64) error {
	var number uint64
	err := u.retry(ctx, "wait for the new configuration", func(ctx context.Context) (err error) {
		if _, number, err = u.fetch(ctx, org); err == nil && number <= before {
			err = fmt.Errorf("the newest is still that of block %d", number)
		}
		return err
	})
	if err != nil {
		return err
	}
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

func (u configUpdate) file(name string) string { return filepath.Join(u.dir, name) }

// decode reads a message of the given type as JSON.
func (u configUpdate) decode(ctx context.Context, kind, name string) (object, error) {
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

func (u configUpdate) encode(ctx context.Context, kind, name string, message object) error {
	data, err := json.Marshal(message)
	if err != nil {
		return err
	}
	text := u.file(name + ".json")
	if err := writeFile(text, data); err != nil {
		return err
	}
	return u.translate(ctx, "proto_encode", "--type", kind, "--input", text, "--output", u.file(name))
}

func (u configUpdate) translate(ctx context.Context, args ...string) error {
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
