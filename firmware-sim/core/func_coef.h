/* SPDX-License-Identifier: MIT */
/*
 * Coefficients of the activation functions, as in the data sheet. Minimax fits
 * of the relative error, rounded to FP32; highest degree first.
 */
#ifndef NCASIM_CORE_FUNC_COEF_H
#define NCASIM_CORE_FUNC_COEF_H

#define LOG2E		0x1.715476p+0f
#define LN2_HI		0x1.62e43p-1f
#define LN2_LO		(-0x1.05c61p-29f)

/* exp(r) = 1 + r + r^2 q(r), |r| <= ln(2) / 2 */
#define EXP_COEF { 0x1.6bebf2p-10f, 0x1.1227f6p-7f, 0x1.555674p-5f, 0x1.5554bp-3f, 0x1.fffffep-2f }
#define EXP_MAX		89.0f
#define EXP_MIN		(-104.0f)

/* log(1 + f) = f - f^2 / 2 + f^3 q(f), sqrt(1/2) <= 1 + f < sqrt(2) */
#define LOG_COEF { 0x1.1457aep-4f, -0x1.de3c18p-4f, 0x1.e6f068p-4f, -0x1.fc2206p-4f, \
		   0x1.233768p-3f, -0x1.555c4ep-3f, 0x1.99a4b6p-3f, -0x1.000006p-2f, 0x1.555548p-2f }
#define SQRT_HALF_BITS	0x3f3504f3u

/* erf(x) = x + x q(x^2), |x| <= 7/8; 1 - exp(-(x + x q(x))) above */
#define ERF_SMALL	0.875f
#define ERF_MAX		4.0f
#define ERF_SMALL_COEF { -0x1.3f4f6ep-11f, 0x1.4876c8p-8f, -0x1.b6bee2p-6f, 0x1.ce1dd2p-4f, \
			 -0x1.8126fap-2f, 0x1.06eba6p-3f }
#define ERF_LARGE_COEF { 0x1.3a39aep-17f, -0x1.3f1d5cp-12f, 0x1.d3b338p-9f, -0x1.82c7d2p-6f, \
			 0x1.b26b94p-4f, 0x1.454064p-1f, 0x1.076b72p-3f }

/* sin(r) = r + r^3 q(r^2), cos(r) = 1 - r^2 / 2 + r^4 q(r^2), |r| <= pi / 4 */
#define SIN_COEF { -0x1.994062p-13f, 0x1.11073p-7f, -0x1.555546p-3f }
#define COS_COEF { 0x1.99e86ap-16f, -0x1.6c0c28p-10f, 0x1.55554ap-5f }
#define TWO_OVER_PI	0x1.45f306p-1f
#define PI_2_HI		0x1.921fb6p+0f
#define PI_2_MID	(-0x1.777a5cp-25f)
#define PI_2_LO		(-0x1.ee59dap-50f)
#define SIN_MAX		0x1p22f

#define TANH_MAX	10.0f
#define EXPM1_MIN	(-40.0f)
#define MISH_MAX	20.0f
#define SQRT_HALF	0x1.6a09e6p-1f
#define SQRT_2_PI	0x1.988454p-1f
#define GELU_CUBIC	0.044715f

#endif
