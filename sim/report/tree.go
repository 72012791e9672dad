package report

import "io"

// Node is a point of a graph that is drawn as a tree: what stands below it is what it came from.
type Node struct {
	Text string
	// Notes are further lines of the node.
	Notes []string
	From  []*Node
}

// Tree writes the nodes below each other. Its error is that of w.
func Tree(w io.Writer, root *Node) error {
	for _, l := range branch(root, "", "") {
		if _, err := io.WriteString(w, l+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// maxTree bounds the depth of indentation: what is deeper stands there all the same.
const maxTree = 12

func branch(n *Node, first, other string) []string {
	lines := hang(first, other, n.Text, 6)
	stem := other
	if len(n.From) > 0 {
		stem += "|"
	}
	for _, t := range n.Notes {
		lines = append(lines, hang(pad(stem, len(other)+1)+" * ", pad(stem, len(other)+1)+"   ", t, 3)...)
	}
	for i, c := range n.From {
		head, next := other+"|- ", other+"|  "
		if i == len(n.From)-1 {
			head, next = other+"`- ", other+"   "
		}
		if width(next) > 3*maxTree {
			next = next[:3*maxTree]
		}
		lines = append(lines, branch(c, head, next)...)
	}
	return lines
}
