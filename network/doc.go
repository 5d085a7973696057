// Package network brings up a Chartseal consortium on one Linux machine, without
// containers: hospitals and a regulator, each with a Fabric CA, a peer, a SmartBFT
// orderer and a chaincode server; and for each hospital a kubo node in a private swarm,
// an attribute authority and a replicator.
//
// The usual path is the command chartnet (make up). Programs and tests use the same
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
// [Up] is idempotent. It leaves running processes alone, starts dead ones, resumes a
// stopped network with its ledger and pins, and starts again from nothing when an earlier
// Up did not get as far as a working channel: until then a network holds nothing of
// value. Processes are detached and outlive the program that called Up.
//
// Only processes of this network are ever signalled: each writes its process id and
// kernel start time before it becomes the server, and carries the network's random id in
// its environment. A process id that was reused is never killed, and a process whose
// launcher was killed is still found by [Network.Down].
//
// All servers listen on the loopback address only. Peers, orderers, their administration
// and operations endpoints and the chaincode servers use mutual TLS; the Fabric CAs use
// TLS and enrolment secrets; kubo's API a bearer token. Keys, secrets and the wallet are
// files of mode 0600 below a directory of mode 0700.
//
// # What it does not
//
// All organisations' keys are on one disk under one user: it is a development network,
// not a deployment.
package network
