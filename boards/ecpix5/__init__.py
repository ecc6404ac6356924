# SPDX-License-Identifier: BSD-2-Clause
"""LambdaConcept's ECPIX-5: an ECP5 with a gigabit network and no converters, built with open tools only.

It decodes rounds that come by cable, at the speed of the real gateware and without a licence: a decoder for a rack, and
the proof that nothing in the design needs a vendor's tool.
"""
