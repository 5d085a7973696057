// Package network brings up a Chartseal consortium on one Linux machine, without
// containers: hospitals and a regulator, each with a Fabric CA, a peer, a SmartBFT
// orderer and a chaincode server; and for each hospital a kubo node in a private swarm,
// an attribute authority and a keeper.
//
// Most callers use the command chartnet (make up). Programs and tests call the same
// functions:
//
//	t := network.Default()
//	t.Directory, t.Ports = dir, network.FreePorts
//	n, err := network.Up(ctx, t, network.Options{})
//	...
//	defer n.Clean(context.Background())
//
// # What it guarantees
//
// [Up] is idempotent. It leaves running processes alone, starts dead ones, and resumes a
// stopped network with its ledger and pins. If an earlier Up ended before the channel
// worked, it starts again from nothing: until then a network holds nothing of value.
// Processes are detached and outlive the program that called Up.
//
// Only processes of this network are ever signalled. Each process writes its id and
// kernel start time before it becomes the server, and carries the network's random id in
// its environment. So a reused process id is never killed, and [Network.Down] finds the
// processes of a killed launcher.
//
// [Up] starts the watcher, see [Network.Watch]. It starts again what dies, hangs or stays
// behind, and leaves alone what [Network.Stop] and [Network.Down] have stopped.
//
// All servers listen on the loopback address only. Peers, orderers, their administration
// and operations endpoints and the chaincode servers use mutual TLS; the Fabric CAs use
// TLS and enrolment secrets; kubo's API a bearer token. Keys, secrets and the wallet are
// files of mode 0600 below a directory of mode 0700.
//
// # What it does not
//
// It is a development network, not a deployment: the keys of all organisations are on one
// disk under one user.
//
// # Where things are
//
// servers.go is the table of all servers; each has a file of its own with its
// configuration and its start. ports.go says where they listen. up.go is the order of
// steps, create.go that of the first time. health.go judges a process, watched.go decides
// when to restart it, and watch.go does so. identity.go enrols nodes and users. layout.go
// describes the directory. The command chartnet is in internal/cli, the client of the CA
// in fabricca.
package network
