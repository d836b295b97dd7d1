"""The tests of genscache."""
